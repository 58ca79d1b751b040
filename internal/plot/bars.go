package plot

import (
	"html"
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
	barName    = 48 // the room for names
	barLabel   = 76 // and for labels
)

// SVG returns the picture.
func (b Bars) SVG() []byte {
	c := canvas{}
	rows := 0
	for _, p := range b.Panels {
		rows = max(rows, len(p.Bars))
	}
	lines := (len(b.Panels) + barColumns - 1) / barColumns
	panel := barHead + rows*barHeight + barGap
	height := barsTop + lines*panel + 8 + len(b.Notes)*noteHeight
	c.frame(b.Title, b.Description, height)
	wide := (width - 48) / barColumns
	for i, p := range b.Panels {
		c.barPanel(p, 24+i%barColumns*wide, barsTop+i/barColumns*panel, wide-24)
	}
	c.notes(b.Notes, height)
	c.add(`</svg>`)
	return []byte(c.String())
}

// barPanel draws a panel whose upper left corner is at x, y.
func (c *canvas) barPanel(p BarPanel, x, y, wide int) {
	c.add(`  <text x="%d" y="%d" font-weight="bold" fill="%s">%s</text>`, x, y+12, ink, html.EscapeString(p.Title))
	most := 0.0
	for _, b := range p.Bars {
		most = max(most, b.Value, b.Max)
	}
	room := float64(wide - barName - barLabel)
	place := func(value float64) float64 {
		if !(most > 0) || !(value > 0) {
			return 0
		}
		return room * min(value/most, 1)
	}
	for i, b := range p.Bars {
		top, left := y+barHead+i*barHeight, x+barName
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
