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
			p.Panels = append(p.Panels, servers(r, name))
		}
		if len(r.Case.Compare.Figures) > 0 {
			p.Panels = append(p.Panels, compared(r))
		}
	}
	return p.SVG()
}

// servers compares servers by a figure.
func servers(r cases.Result, name string) plot.BarPanel {
	p := plot.BarPanel{Title: fmt.Sprintf("%s: %s", r.Case.Name, name)}
	for _, who := range r.Case.Servers {
		if s, measured := r.Of(who, name); measured {
			p.Bars = append(p.Bars, bar(who, s, who == server.Hub))
		}
	}
	return p
}

// compared compares figures of the hub's.
func compared(r cases.Result) plot.BarPanel {
	p := plot.BarPanel{Title: r.Case.Name + ": " + r.Case.Compare.Title}
	for _, name := range r.Case.Compare.Figures {
		if s, measured := r.Of(server.Hub, name); measured {
			p.Bars = append(p.Bars, bar(name, s, true))
		}
	}
	return p
}

func bar(name string, s cases.Spread, bold bool) plot.Bar {
	return plot.Bar{Name: name, Label: Number(s.Median) + " " + s.Unit, Bold: bold, Value: s.Median, Min: s.Min, Max: s.Max}
}
