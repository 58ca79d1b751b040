package plot

import (
	"html"
	"slices"
)

// Bars is a picture of panels of bars, in columns. Each panel has a scale of
// its own, from zero up to its largest value.
type Bars struct {
	Title       string
	Description string // for those who do not see it
	Panels      []BarPanel
	Notes       []string // lines below
}

// BarPanel is some bars that can be compared.
type BarPanel struct {
	Title string
	Bars  []Bar
}

// Bar is a value and the range in which it was found.
type Bar struct {
	Name            string
	Label           string // the value as text
	Bold            bool
	Value, Min, Max float64
}

// The measures of the picture.
const (
	barColumns = 3
	barsTop    = 60 // above the first panels
	barHead    = 26 // of a panel
	barHeight  = 20
	barGap     = 18 // below a panel
	barName    = 48 // the least room for names
	barLetter  = 7  // of a name
	barLabel   = 76 // the room for labels
)

// SVG returns the picture.
func (b Bars) SVG() []byte {
	height := barsTop + 8 + len(b.Notes)*noteHeight
	lines := slices.Collect(slices.Chunk(b.Panels, barColumns))
	for _, line := range lines {
		height += barLine(line)
	}
	c := canvas{}
	c.frame(b.Title, b.Description, height)
	wide, y := (width-48)/barColumns, barsTop
	for _, line := range lines {
		for i, p := range line {
			c.barPanel(p, 24+i*wide, y, wide-24)
		}
		y += barLine(line)
	}
	c.notes(b.Notes, height)
	c.add(`</svg>`)
	return []byte(c.String())
}

// barLine returns the height of panels beside each other.
func barLine(panels []BarPanel) int {
	rows := 0
	for _, p := range panels {
		rows = max(rows, len(p.Bars))
	}
	return barHead + rows*barHeight + barGap
}

// barPanel draws a panel whose upper left corner is at x, y.
func (c *canvas) barPanel(p BarPanel, x, y, wide int) {
	c.add(`  <text x="%d" y="%d" font-weight="bold" fill="%s">%s</text>`, x, y+12, ink, html.EscapeString(p.Title))
	most, names := 0.0, barName
	for _, b := range p.Bars {
		most, names = max(most, b.Value, b.Max), max(names, 8+barLetter*len([]rune(b.Name)))
	}
	room := float64(max(wide-names-barLabel, 0))
	place := func(value float64) float64 {
		if !(most > 0) || !(value > 0) {
			return 0
		}
		return room * min(value/most, 1)
	}
	for i, b := range p.Bars {
		top, left := y+barHead+i*barHeight, x+names
		color, weight := "#8fa9bd", "normal"
		if b.Bold {
			color, weight = colors()[0], "bold"
		}
		c.add(`  <text x="%d" y="%d" text-anchor="end" fill="%s">%s</text>`, left-8, top+11, ink, html.EscapeString(b.Name))
		c.add(`  <rect x="%d" y="%d" width="%s" height="14" fill="%s"/>`, left, top, short(place(b.Value)), color)
		c.add(`  <path d="M%s %dH%s" stroke="%s"/>`, short(float64(left)+place(b.Min)), top+7, short(float64(left)+place(b.Max)), ink)
		c.add(`  <text x="%s" y="%d" font-weight="%s" fill="%s">%s</text>`, short(float64(left)+place(max(b.Value, b.Max))+6), top+11, weight, ink, html.EscapeString(b.Label))
	}
}
