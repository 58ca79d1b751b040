package plot_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"tickertape/internal/plot"
)

func bars() plot.Bars {
	return plot.Bars{Title: `<hub> & "floor"`, Description: "what it shows", Notes: []string{"a <note>"}, Panels: []plot.BarPanel{
		{Title: "CPU", Bars: []plot.Bar{
			{Name: "hub", Label: "10 µs", Bold: true, Value: 10, Min: 5, Max: 20},
			{Name: "floor", Label: "5 µs", Value: 5, Min: 5, Max: 5},
		}},
		{Title: "memory", Bars: []plot.Bar{{Name: "hub", Label: "none"}}},
		{Title: "nothing"}, {Title: "more <&>"},
	}}
}

func TestBarsAreXML(t *testing.T) {
	t.Parallel()
	strange := plot.Bars{Panels: []plot.BarPanel{{Bars: []plot.Bar{{Value: math.NaN(), Max: -1}, {Value: 3}}}}}
	for name, b := range map[string]plot.Bars{"full": bars(), "empty": {}, "strange": strange} {
		svg := b.SVG()
		if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("%!")) {
			t.Errorf("%s:\n%s", name, svg)
		}
		in := xml.NewDecoder(bytes.NewReader(svg))
		var err error
		for err == nil {
			_, err = in.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v\n%s", name, err, svg)
		}
	}
}

// The largest value of a panel fills it, the others have their share, and the
// thin line goes from the least to the most.
func TestBarsPlaceValues(t *testing.T) {
	t.Parallel()
	svg := string(bars().SVG())
	for what, want := range map[string]string{
		"the hub's bar":    `<rect x="72" y="86" width="78" height="14" fill="#1f6fb2"/>`,
		"its range":        `<path d="M111 93H228" stroke=`,
		"the floor's bar":  `<rect x="72" y="106" width="39" height="14" fill="#8fa9bd"/>`,
		"a label":          `font-weight="bold" fill="#1b2733">10 µs</text>`,
		"another column":   `<rect x="376" y="86" width="0" `,
		"a title in words": `more &lt;&amp;&gt;`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s (%s) in\n%s", what, want, svg)
		}
	}
}
