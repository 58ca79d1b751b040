// Package plot draws curves over time, and bars, as SVG pictures with a ground
// of their own, so that they can be read on light and on dark pages.
package plot

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// Plot is a picture of panels, one below the other, over one axis of time.
type Plot struct {
	Title       string
	Description string // for those who do not see it
	Span        time.Duration
	Panels      []Panel
	Marks       []Mark
	MarkName    string   // what the marks are, in the legend
	Notes       []string // lines below
}

// Panel is one axis of values, from zero up, and its curves. Curves of the
// same name are the same thing in all panels: the legend names each once.
type Panel struct {
	Title  string
	Curves []Curve
}

// Curve is one line, in pieces between which it is broken, and dots.
type Curve struct {
	Name   string
	Bold   bool
	Pieces [][]Point
	Dots   []Point
}

// Point is a value at a time since the beginning.
type Point struct {
	At    time.Duration
	Value float64
}

// Mark is something that happened.
type Mark struct {
	At   time.Duration
	Name string
}

// The measures of the picture.
const (
	width       = 960
	left, right = 76, 24 // of the panels
	head        = 96     // above the first panel
	panelHeight = 92
	panelGap    = 40
	foot        = 30 // below the last panel, for the axis of time
	noteHeight  = 18
)

// colors are those of the curves' names, in their order of appearance. A bold
// one is drawn in ink.
func colors() []string {
	return []string{"#1f6fb2", "#c2560c", "#2c8a57", "#8a4fb0", "#a08000", "#c03a5b"}
}

const (
	ink   = "#1b2733"
	faint = "#3d4a57"
)

// SVG returns the picture.
func (p Plot) SVG() []byte {
	p.Span = max(p.Span, time.Second)
	c := canvas{plot: p, colors: map[string]string{}}
	height := head + len(p.Panels)*(panelHeight+panelGap) - panelGap + foot + 16 + len(p.Notes)*noteHeight
	c.frame(p.Title, p.Description, height)
	c.name()
	c.legend()
	bottom := height - foot - 16 - len(p.Notes)*noteHeight
	c.marks(bottom)
	for i, panel := range p.Panels {
		c.panel(panel, head+i*(panelHeight+panelGap))
	}
	c.times(bottom)
	c.notes(p.Notes, height)
	c.add(`</svg>`)
	return []byte(c.String())
}

// canvas is a picture that is being drawn.
type canvas struct {
	strings.Builder
	plot   Plot
	names  []string
	colors map[string]string
}

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

// frame begins the picture.
func (c *canvas) frame(title, description string, height int) {
	c.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title description" font-family="Helvetica, Arial, sans-serif" font-size="12">`,
		width, height, width, height)
	c.add(`  <title id="title">%s</title>`, html.EscapeString(title))
	c.add(`  <desc id="description">%s</desc>`, html.EscapeString(description))
	c.add(`  <rect x=".5" y=".5" width="%d" height="%d" rx="10" fill="#fbfaf6" stroke="#d5d2c8"/>`, width-1, height-1)
	c.add(`  <text x="24" y="32" font-size="16" font-weight="bold" fill="%s">%s</text>`, ink, html.EscapeString(title))
}

// notes draws the lines at the bottom.
func (c *canvas) notes(notes []string, height int) {
	for i, note := range notes {
		c.add(`  <text x="24" y="%d" fill="%s">%s</text>`, height-12-(len(notes)-1-i)*noteHeight, faint, html.EscapeString(note))
	}
}

// name gives each curve's name its color.
func (c *canvas) name() {
	plain := 0
	for _, panel := range c.plot.Panels {
		for _, curve := range panel.Curves {
			if c.colors[curve.Name] != "" {
				continue
			}
			c.names = append(c.names, curve.Name)
			if curve.Bold {
				c.colors[curve.Name] = ink
				continue
			}
			c.colors[curve.Name] = colors()[plain%len(colors())]
			plain++
		}
	}
}

func (c *canvas) legend() {
	x := left
	for _, name := range c.names {
		c.add(`  <path d="M%d 56h22" stroke="%s" stroke-width="3"/><text x="%d" y="60" fill="%s">%s</text>`, x, c.colors[name], x+28, ink, html.EscapeString(name))
		x += 52 + 7*len(name)
	}
	if c.plot.MarkName != "" {
		c.add(`  <path d="M%d 49v14" stroke="#8d8a80"/><text x="%d" y="60" fill="%s">%s</text>`, x+4, x+12, ink, html.EscapeString(c.plot.MarkName))
	}
}

// marks draws a line through all panels for each mark, whose name shows when
// it is pointed at.
func (c *canvas) marks(bottom int) {
	c.add(`  <g stroke="#8d8a80" stroke-opacity=".45">`)
	for _, m := range c.plot.Marks {
		c.add(`    <path d="M%s %dV%d"><title>%s</title></path>`, c.x(m.At), head-8, bottom, html.EscapeString(m.Name))
	}
	c.add(`  </g>`)
}

func (c *canvas) x(at time.Duration) string {
	return short(left + float64(width-left-right)*at.Seconds()/c.plot.Span.Seconds())
}

// panel draws a panel whose upper edge is at top.
func (c *canvas) panel(p Panel, top int) {
	step, steps := scale(p.most())
	y := func(value float64) float64 {
		return float64(top) + panelHeight*(1-value/(step*float64(steps)))
	}
	c.add(`  <text x="%d" y="%d" font-weight="bold" fill="%s">%s</text>`, left, top-12, ink, html.EscapeString(p.Title))
	for i := range steps + 1 {
		value := step * float64(i)
		c.add(`  <path d="M%d %sH%d" stroke="#d5d2c8"/><text x="%d" y="%s" text-anchor="end" fill="%s">%s</text>`,
			left, short(y(value)), width-right, left-8, short(y(value)+4), faint, number(value))
	}
	for _, curve := range p.Curves {
		c.curve(curve, y)
	}
}

func (c *canvas) curve(curve Curve, y func(float64) float64) {
	thick := "1.5"
	if curve.Bold {
		thick = "2"
	}
	var path, dots strings.Builder
	for _, piece := range curve.Pieces {
		for i, point := range piece {
			verb := "L"
			if i == 0 {
				verb = "M"
			}
			fmt.Fprint(&path, verb, c.x(point.At), " ", short(y(point.Value)))
		}
	}
	for _, dot := range curve.Dots {
		fmt.Fprintf(&dots, `<circle cx="%s" cy="%s" r="2.5"/>`, c.x(dot.At), short(y(dot.Value)))
	}
	color := c.colors[curve.Name]
	c.add(`  <path d="%s" fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round"/><g fill="%s">%s</g>`, path.String(), color, thick, color, dots.String())
}

// times draws the axis of time.
func (c *canvas) times(bottom int) {
	unit, name := time.Minute, "min"
	if c.plot.Span < 2*time.Minute {
		unit, name = time.Second, "s"
	}
	step, steps := scale(c.plot.Span.Seconds() / unit.Seconds())
	for i := range steps + 1 {
		at := time.Duration(step * float64(i) * float64(unit))
		if at > c.plot.Span {
			break
		}
		c.add(`  <text x="%s" y="%d" text-anchor="middle" fill="%s">%s %s</text>`, c.x(at), bottom+18, faint, number(step*float64(i)), name)
	}
}

func (p Panel) most() (most float64) {
	for _, curve := range p.Curves {
		for _, piece := range curve.Pieces {
			for _, point := range piece {
				most = max(most, point.Value)
			}
		}
	}
	return most
}

// scale returns a round step of which a few reach up to most.
func scale(most float64) (step float64, steps int) {
	if !(most > 0) || math.IsInf(most, 1) {
		return 1, 1
	}
	step = math.Pow(10, math.Floor(math.Log10(most)))
	for _, part := range []float64{0.2, 0.5, 1} {
		if steps := math.Ceil(most / (step * part)); steps <= 5 {
			return step * part, int(steps)
		}
	}
	return 2 * step, int(math.Ceil(most / (2 * step)))
}

// short returns a coordinate without more digits than one can see.
func short(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

// number returns a value of an axis, with commas.
func number(v float64) string {
	text := fmt.Sprintf("%.6g", v)
	if v < 1000 || v >= 1e6 {
		return text
	}
	return text[:len(text)-3] + "," + text[len(text)-3:]
}
