package torture

import (
	"fmt"
	"slices"
	"time"

	"tickertape/internal/plot"
)

// Trend says how something that must not grow stood early and late.
type Trend struct {
	Name        string
	Early, Late float64 // the medians of the second and of the last quarter of the time, of all hubs together
	Most        float64 // the most that it may grow by and be called flat, as a factor
}

// Flat reports whether it has not grown by more. What nothing is known of is not
// flat.
func (t Trend) Flat() bool { return t.Growth() <= t.Most }

// Growth returns how many times the early value the late one is.
func (t Trend) Growth() float64 { return t.Late / t.Early }

func (t Trend) String() string {
	return fmt.Sprintf("%s: median of the second quarter %.0f, of the last %.0f, × %.2f", t.Name, t.Early, t.Late, t.Growth())
}

// quantity is one thing that is read of hubs.
type quantity struct {
	name string  // with its unit
	most float64 // see Trend
	of   func(Reading) float64
}

// held returns what a hub holds, none of which may grow for ever. Memory comes
// and goes with the hubs that faults restart, whose logs take minutes to fill,
// and with how the balancer spreads the clients.
func held() []quantity {
	return []quantity{
		{"memory, MiB", 1.25, func(r Reading) float64 { return r.Memory / (1 << 20) }},
		{"goroutines", 1.1, func(r Reading) float64 { return r.Goroutines }},
		{"descriptors", 1.1, func(r Reading) float64 { return r.Files }},
	}
}

// Trends returns those of memory, goroutines and descriptors. Moments at which
// a hub was away do not count.
func (s *Samples) Trends() []Trend {
	var trends []Trend
	for _, q := range held() {
		sum := slices.Concat(s.sum(q.of)...)
		trends = append(trends, Trend{q.name, s.median(sum, 0.25, 0.5), s.median(sum, 0.75, 1), q.most})
	}
	return trends
}

// span returns the time of the last sample.
func (s *Samples) span() time.Duration {
	if len(s.List) == 0 {
		return 0
	}
	return s.List[len(s.List)-1].At
}

// median returns the median of the values in a part of the time; 0 of none.
func (s *Samples) median(points []plot.Point, from, upto float64) float64 {
	var values []float64
	for _, p := range points {
		if share := p.At.Seconds() / s.span().Seconds(); share >= from && share <= upto {
			values = append(values, p.Value)
		}
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// sum returns a quantity of all hubs together, in pieces between which one of
// them did not answer.
func (s *Samples) sum(of func(Reading) float64) [][]plot.Point {
	return s.pieces(func(i int) (value float64, known bool) {
		for _, r := range s.List[i].Hubs {
			if !r.up() {
				return 0, false
			}
			value += of(r)
		}
		return value, true
	})
}

// one returns a quantity of one hub, with a dot where it was started again.
func (s *Samples) one(hub int, of func(Reading) float64) plot.Curve {
	c := plot.Curve{Name: fmt.Sprint("hub ", hub+1)}
	c.Pieces = s.pieces(func(i int) (value float64, known bool) {
		return of(s.List[i].Hubs[hub]), s.List[i].Hubs[hub].up()
	})
	born := 0.0
	for _, sample := range s.List {
		r := sample.Hubs[hub]
		if born > 0 && r.up() && r.Born != born {
			c.Dots = append(c.Dots, plot.Point{At: sample.At, Value: of(r)})
		}
		if r.up() {
			born = r.Born
		}
	}
	return c
}

// rate returns the deliveries a second of some hubs together. One that has
// just been started counts from its second sample on.
func (s *Samples) rate(hubs ...int) [][]plot.Point {
	return s.pieces(func(i int) (value float64, known bool) {
		if i == 0 {
			return 0, false
		}
		passed := (s.List[i].At - s.List[i-1].At).Seconds()
		for _, h := range hubs {
			before, now := s.List[i-1].Hubs[h], s.List[i].Hubs[h]
			if before.up() && before.Born == now.Born {
				value += (now.Delivered - before.Delivered) / passed
			}
		}
		return value, true
	})
}

// pieces makes a curve of values, broken where they are not known.
func (s *Samples) pieces(value func(i int) (value float64, known bool)) (pieces [][]plot.Point) {
	open := false
	for i := range s.List {
		v, known := value(i)
		if known && !open {
			pieces = append(pieces, nil)
		}
		if open = known; known {
			last := len(pieces) - 1
			pieces[last] = append(pieces[last], plot.Point{At: s.List[i].At, Value: v})
		}
	}
	return pieces
}

// Plot returns the curves as a picture. The notes stand below.
func (s *Samples) Plot(title string, notes ...string) plot.Plot {
	p := plot.Plot{Title: title, Span: s.span(), MarkName: "a fault", Notes: notes,
		Description: "Curves over time of the hubs' deliveries a second, memory, goroutines and open descriptors, with a line at each fault."}
	if len(s.List) == 0 {
		return p
	}
	hubs := len(s.List[0].Hubs)
	every := make([]int, hubs)
	rates := plot.Panel{Title: "deliveries a second"}
	for h := range hubs {
		every[h] = h
		rates.Curves = append(rates.Curves, plot.Curve{Name: fmt.Sprint("hub ", h+1), Pieces: s.rate(h)})
	}
	rates.Curves = append(rates.Curves, plot.Curve{Name: "all together", Bold: true, Pieces: s.rate(every...)})
	p.Panels = append(p.Panels, rates)
	for _, q := range held() {
		panel := plot.Panel{Title: q.name}
		for h := range hubs {
			panel.Curves = append(panel.Curves, s.one(h, q.of))
		}
		panel.Curves = append(panel.Curves, plot.Curve{Name: "all together", Bold: true, Pieces: s.sum(q.of)})
		p.Panels = append(p.Panels, panel)
	}
	for _, f := range s.Faults {
		p.Marks = append(p.Marks, plot.Mark{At: f.At, Name: f.What})
	}
	return p
}
