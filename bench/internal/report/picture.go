//go:build linux

package report

import (
	"fmt"

	"tickertape/bench/internal/cases"
	"tickertape/bench/internal/server"
	"tickertape/internal/plot"
)

// Picture returns the results as an SVG of bars: the figures that each case
// names, beside each other for all servers.
func Picture(results []cases.Result) []byte {
	p := plot.Bars{
		Title:       "The hub beside the floor and its peers",
		Description: "For each case the medians of what was measured, as bars, and between which values the rounds lay.",
		Notes:       []string{"Bars: medians. Thin lines: the least and the most of all rounds. The floor is a C program that does one send() per subscriber and message."},
	}
	for _, r := range results {
		for _, name := range r.Case.Chart {
			p.Panels = append(p.Panels, panel(r, name))
		}
	}
	return p.SVG()
}

func panel(r cases.Result, name string) plot.BarPanel {
	p := plot.BarPanel{Title: fmt.Sprintf("%s: %s", r.Case.Name, name)}
	for _, who := range r.Case.Servers {
		s, measured := r.Of(who, name)
		if !measured {
			continue
		}
		p.Bars = append(p.Bars, plot.Bar{
			Name: who, Label: Number(s.Median) + " " + s.Unit, Bold: who == server.Hub,
			Value: s.Median, Min: s.Min, Max: s.Max,
		})
	}
	return p
}
