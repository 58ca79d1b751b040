package plot_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"tickertape/internal/plot"
)

func points(values ...float64) (points []plot.Point) {
	for i, v := range values {
		points = append(points, plot.Point{At: time.Duration(i) * time.Minute, Value: v})
	}
	return points
}

func sample() plot.Plot {
	return plot.Plot{Title: `A <soak> & "more"`, Description: "what it shows", Span: 4 * time.Minute, MarkName: "faults",
		Marks: []plot.Mark{{At: 2 * time.Minute, Name: "hub <killed>"}}, Notes: []string{"a note", "another"},
		Panels: []plot.Panel{
			{Title: "memory", Curves: []plot.Curve{
				{Name: "all", Bold: true, Pieces: [][]plot.Point{points(0, 2500, 5000)}},
				{Name: "hub 1", Pieces: [][]plot.Point{points(0, 100), {{At: 3 * time.Minute, Value: 1000}, {At: 4 * time.Minute, Value: 1500}}},
					Dots: []plot.Point{{At: 3 * time.Minute, Value: 1000}}},
				{Name: "hub 2"},
			}},
			{Title: "descriptors", Curves: []plot.Curve{{Name: "hub 1", Pieces: [][]plot.Point{points(7, 7)}}}},
		}}
}

// What is drawn is one well-formed document, whatever the words are.
func TestPlotIsXML(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]plot.Plot{"full": sample(), "empty": {}, "without values": {Span: time.Second, Panels: []plot.Panel{{}}}} {
		svg := p.SVG()
		if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("%!")) {
			t.Errorf("%s:\n%s", name, svg)
		}
		in := xml.NewDecoder(bytes.NewReader(svg))
		for {
			_, err := in.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, svg)
			}
		}
	}
}

// Values stand where they belong: the axis goes from zero to a round number
// above the largest, time from edge to edge.
func TestPlotPlacesValues(t *testing.T) {
	t.Parallel()
	svg := string(sample().SVG())
	for what, want := range map[string]string{
		"0 is at the lower edge, 5,000 at the upper one": `d="M76 188L291 142L506 96"`,
		"the curve is broken where it says so":           `d="M76 188L291 186.2M721 169.6L936 160.4"`,
		"a dot is where it belongs":                      `<circle cx="721" cy="169.6" r="2.5"/>`,
		"the mark is half way, and has its name":         `<path d="M506 88V320"><title>hub &lt;killed&gt;</title></path>`,
		"the axis names its numbers":                     `>5,000</text>`,
		"so does time":                                   `<text x="936" y="338" text-anchor="middle" fill="#3d4a57">4 min</text>`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s: %s is not in\n%s", what, want, svg)
		}
	}
	// Of one name, one color in all panels.
	strokes := regexp.MustCompile(`fill="none" stroke="(#\w+)"`).FindAllStringSubmatch(svg, -1)
	if len(strokes) != 4 || strokes[1][1] != strokes[3][1] || strokes[1][1] == strokes[2][1] || strokes[0][1] == strokes[1][1] {
		t.Errorf("the curves' colors are %v", strokes)
	}
	if names := strings.Count(svg, ">hub 1</text>"); names != 1 {
		t.Errorf("the legend names hub 1 %d times", names)
	}
}
