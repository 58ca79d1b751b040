//go:build linux

// Package cases holds what is measured: for each case who is measured, how,
// and what the hub must reach.
package cases

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tickertape/bench/internal/server"
)

// Figure is a value that was measured.
type Figure struct {
	Name  string
	Unit  string
	Value float64
}

// Case is something to be measured.
type Case struct {
	Name    string
	Title   string
	Redis   bool     // the servers that can have a Redis have one
	Servers []string // who is measured, in turn
	Goals   []Goal
	Chart   []string // figures for a picture, each of all servers
	Compare Comparison

	measure func(context.Context, *stage) ([]Figure, error)
}

// Comparison is some figures of the hub's that a picture shows beside each
// other.
type Comparison struct {
	Title   string
	Figures []string
}

// Goal is a figure of the hub's, or a ratio of two, with a limit.
type Goal struct {
	Text  string
	Limit float64
	Least bool // the limit is the least that will do, else the most

	value func(Medians) float64 // NaN if it was not measured
}

// Medians has the median of each figure, by server and name.
type Medians map[string]map[string]float64

// of returns a median, or NaN.
func (m Medians) of(server, name string) float64 {
	if value, found := m[server][name]; found {
		return value
	}
	return math.NaN()
}

// Reached returns the goal's value and whether that is good enough; one that
// was not measured, NaN, is not.
func (g Goal) Reached(m Medians) (value float64, reached bool) {
	value = g.value(m)
	if g.Least {
		return value, value >= g.Limit
	}
	return value, value <= g.Limit
}

// ratio is a goal: the hub's figure over another server's.
func ratio(text, name, other string, limit float64) Goal {
	return Goal{Text: text, Limit: limit, value: func(m Medians) float64 { return m.of(server.Hub, name) / m.of(other, name) }}
}

// value is a goal: the hub's figure.
func value(text, name string, limit float64) Goal {
	return Goal{Text: text, Limit: limit, value: func(m Medians) float64 { return m.of(server.Hub, name) }}
}

// least makes a goal's limit the least that will do.
func least(g Goal) Goal {
	g.Least = true
	return g
}

// limit is how long one measurement of one server may take.
const limit = 4 * time.Minute

// Sample is what one measurement of one server showed.
type Sample struct {
	Figures []Figure
	Wrong   string // what the server did wrong, or why there are no figures
}

// Measure starts a server, measures it and ends it. A server that fails is
// told of in the sample; the error is that of the context.
func (c Case) Measure(ctx context.Context, lab *server.Lab, name string, size Size) (Sample, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	sample, err := c.try(limited, lab, name, size)
	if ctx.Err() != nil {
		return Sample{}, ctx.Err()
	}
	if err != nil {
		sample.Wrong = err.Error()
	}
	return sample, nil
}

func (c Case) try(ctx context.Context, lab *server.Lab, name string, size Size) (sample Sample, err error) {
	s := &stage{size: size, start: func(ctx context.Context) (*server.Server, error) { return lab.Start(ctx, name, c.Redis) }}
	if err := s.renew(ctx); err != nil {
		return sample, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	sample.Figures, err = c.measure(ctx, s)
	if err != nil {
		return sample, s.explain(err)
	}
	sample.Wrong = s.wrong.String()
	return sample, nil
}

// All returns all cases.
func All() []Case {
	return []Case{fanout(), redis(), burst(), topics(), stream(), idle(), comeback(), growth()}
}

// Named returns the cases of these names, or all if there are none.
func Named(names []string) ([]Case, error) {
	all := All()
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, c := range all {
		known = append(known, c.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no case is called %q: they are %q", name, known)
		}
	}
	return slices.DeleteFunc(all, func(c Case) bool { return !slices.Contains(names, c.Name) }), nil
}

// With returns the case with one more server.
func (c Case) With(server string) Case {
	c.Servers = append(slices.Clone(c.Servers), server)
	return c
}

// Only returns the case with those of its servers that are named.
func (c Case) Only(servers []string) Case {
	c.Servers = slices.DeleteFunc(slices.Clone(c.Servers), func(s string) bool { return !slices.Contains(servers, s) })
	return c
}
