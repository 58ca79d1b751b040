package torture_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"tickertape/internal/torture"
)

// soaked returns samples, one each second, of two hubs that hold what the
// function says. The second one is away from the 30th second to the 32nd, and
// is another process then.
func soaked(seconds int, holds func(second int) float64) *torture.Samples {
	s := &torture.Samples{Faults: []torture.Moment{{At: 30 * time.Second, What: "a hub killed"}}}
	for i := range seconds + 1 {
		r := torture.Reading{Born: 1, Delivered: float64(100 * i), Memory: holds(i) * (1 << 20), Goroutines: holds(i), Files: 7}
		other := r
		switch {
		case i >= 33:
			other.Born, other.Delivered = 2, float64(50*(i-33))
		case i >= 30:
			other = torture.Reading{}
		}
		s.List = append(s.List, torture.Sample{At: time.Duration(i) * time.Second, Hubs: []torture.Reading{r, other}})
	}
	return s
}

// What grows is told from what does not, whatever the first quarter was like
// and however high single peaks are.
func TestTrends(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		holds  func(second int) float64
		growth float64
	}{
		{"the same all the time", func(int) float64 { return 100 }, 1},
		{"full after the first quarter", func(i int) float64 { return float64(min(i, 24)) }, 1},
		{"a peak now and then", func(i int) float64 {
			if i%10 == 9 {
				return 1000
			}
			return 100
		}, 1},
		{"a leak", func(i int) float64 { return float64(100 + i) }, 188.0 / 138},
		{"a leak at the end", func(i int) float64 { return float64(max(100, 25+i)) }, 113.0 / 100},
	} {
		trends := soaked(100, c.holds).Trends()
		if len(trends) != 3 {
			t.Fatalf("%d trends", len(trends))
		}
		for _, trend := range trends {
			want := c.growth
			if trend.Name == "descriptors" {
				want = 1
			}
			if math.Abs(trend.Growth()-want) > 0.02 {
				t.Errorf("%s: %v, want × %.2f", c.name, trend, want)
			}
			if trend.Flat() != (want < 1.1 || want < 1.25 && trend.Name == "memory, MiB") {
				t.Errorf("%s: %v, flat: %v", c.name, trend, trend.Flat())
			}
		}
	}
}

// A soak of which nothing is known is not flat.
func TestTrendsOfNothing(t *testing.T) {
	t.Parallel()
	for _, trend := range (&torture.Samples{}).Trends() {
		if trend.Flat() {
			t.Errorf("%v", trend)
		}
	}
}

func TestSamplesPlot(t *testing.T) {
	t.Parallel()
	p := soaked(100, func(int) float64 { return 100 }).Plot("title", "note")
	if len(p.Panels) != 4 || p.Span != 100*time.Second || len(p.Marks) != 1 || p.Marks[0].At != 30*time.Second {
		t.Fatalf("%+v", p)
	}
	rates := p.Panels[0].Curves
	if len(rates) != 3 {
		t.Fatalf("%d rates", len(rates))
	}
	at := func(curve, second int) float64 { return rates[curve].Pieces[0][second-1].Value }
	if at(0, 50) != 100 || at(1, 20) != 100 || at(1, 31) != 0 || at(1, 33) != 0 || at(1, 34) != 50 || at(2, 50) != 150 {
		t.Errorf("rates: %v", rates)
	}
	for _, panel := range p.Panels[1:] {
		one, two, sum := panel.Curves[0], panel.Curves[1], panel.Curves[2]
		if len(one.Pieces) != 1 || len(one.Dots) != 0 || len(two.Pieces) != 2 || len(two.Dots) != 1 || two.Dots[0].At != 33*time.Second {
			t.Errorf("%s: %+v", panel.Title, panel)
		}
		if len(sum.Pieces) != 2 || !sum.Bold || sum.Pieces[0][0].Value != one.Pieces[0][0].Value+two.Pieces[0][0].Value {
			t.Errorf("%s: %+v", panel.Title, sum)
		}
	}
	if svg := string(p.SVG()); !strings.Contains(svg, "a hub killed") || !strings.Contains(svg, "note") {
		t.Errorf("%s", svg)
	}
}
