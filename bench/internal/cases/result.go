//go:build linux

package cases

import (
	"context"
	"fmt"
	"slices"

	"tickertape/bench/internal/server"
)

// Result is all that was measured of a case.
type Result struct {
	Case    Case
	Samples map[string][]Sample // by server, one of each round
}

// Spread is the middle of some values and how far they lie apart.
type Spread struct {
	Unit             string
	Median, Min, Max float64
}

// Run measures each server of a case once in each round, in turn, and tells
// of each one before it begins.
func (c Case) Run(ctx context.Context, lab *server.Lab, rounds int, size Size, tell func(string)) (Result, error) {
	r := Result{Case: c, Samples: map[string][]Sample{}}
	for round := range rounds {
		for _, name := range c.Servers {
			tell(fmt.Sprintf("%s, round %d of %d: %s", c.Name, round+1, rounds, name))
			sample, err := c.Measure(ctx, lab, name, size)
			if err != nil {
				return r, err
			}
			r.Samples[name] = append(r.Samples[name], sample)
		}
	}
	return r, nil
}

// Names returns the names of all figures, in the order in which they were
// measured.
func (r Result) Names() (names []string) {
	for _, name := range r.Case.Servers {
		for _, sample := range r.Samples[name] {
			for _, f := range sample.Figures {
				if !slices.Contains(names, f.Name) {
					names = append(names, f.Name)
				}
			}
		}
	}
	return names
}

// Of returns a server's figure over all rounds; false if no round has it.
func (r Result) Of(server, name string) (s Spread, measured bool) {
	var values []float64
	for _, sample := range r.Samples[server] {
		for _, f := range sample.Figures {
			if f.Name == name {
				values, s.Unit = append(values, f.Value), f.Unit
			}
		}
	}
	if len(values) == 0 {
		return s, false
	}
	slices.Sort(values)
	half := len(values) / 2
	s.Median, s.Min, s.Max = values[half], values[0], values[len(values)-1]
	if len(values)%2 == 0 {
		s.Median = (values[half-1] + values[half]) / 2
	}
	return s, true
}

// Medians returns the median of every figure.
func (r Result) Medians() Medians {
	m := Medians{}
	for _, server := range r.Case.Servers {
		m[server] = map[string]float64{}
		for _, name := range r.Names() {
			if s, measured := r.Of(server, name); measured {
				m[server][name] = s.Median
			}
		}
	}
	return m
}

// Wrong returns what a server did wrong, each once, and in how many rounds it
// did anything wrong.
func (r Result) Wrong(server string) (what []string, rounds int) {
	for _, sample := range r.Samples[server] {
		if sample.Wrong == "" {
			continue
		}
		rounds++
		if !slices.Contains(what, sample.Wrong) {
			what = append(what, sample.Wrong)
		}
	}
	return what, rounds
}
