//go:build linux

// Package report tells what was measured: as a page of tables and as a
// picture.
package report

import (
	"fmt"
	"math"
	"strings"

	"tickertape/bench/internal/cases"
	"tickertape/bench/internal/server"
)

// Tables returns the results as Markdown that can be read as it is.
func Tables(results []cases.Result) string {
	var b strings.Builder
	for _, r := range results {
		fmt.Fprintf(&b, "## %s\n\n%s.\n\n", r.Case.Name, r.Case.Title)
		writeTable(&b, figures(r))
		if len(r.Case.Goals) > 0 {
			b.WriteString("\n")
			writeTable(&b, goals(r))
		}
		writeWrong(&b, r)
		b.WriteString("\n")
	}
	return b.String()
}

// figures returns a row for each figure, a column for each server.
func figures(r cases.Result) [][]string {
	rows := [][]string{append([]string{"median (least–most)"}, r.Case.Servers...)}
	for _, name := range r.Names() {
		row := []string{name}
		for _, server := range r.Case.Servers {
			s, measured := r.Of(server, name)
			if !measured {
				row = append(row, "–")
				continue
			}
			row = append(row, fmt.Sprintf("%s %s (%s–%s)", Number(s.Median), s.Unit, Number(s.Min), Number(s.Max)))
		}
		rows = append(rows, row)
	}
	return rows
}

// goals returns a row for each goal. A hub that loses events reaches none.
func goals(r cases.Result) [][]string {
	rows := [][]string{{"goal", "measured", "reached"}}
	medians := r.Medians()
	_, wrong := r.Wrong(server.Hub)
	for _, g := range r.Case.Goals {
		value, reached := g.Reached(medians)
		word := "no"
		if reached && wrong == 0 {
			word = "yes"
		}
		rows = append(rows, []string{g.Text, Number(value), word})
	}
	return rows
}

func writeWrong(b *strings.Builder, r cases.Result) {
	for _, server := range r.Case.Servers {
		what, rounds := r.Wrong(server)
		if rounds == 0 {
			continue
		}
		fmt.Fprintf(b, "\n**%s** was not right in %d of %d rounds:\n\n", server, rounds, len(r.Samples[server]))
		for _, w := range what {
			fmt.Fprintf(b, "- %s\n", strings.Join(strings.Fields(w), " "))
		}
	}
}

// writeTable writes rows, the first of which is the head, in columns.
func writeTable(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(b, "| %-*s ", widths[i], cell)
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for _, width := range widths {
			fmt.Fprintf(b, "|%s", strings.Repeat("-", width+2))
		}
		b.WriteString("|\n")
	}
}

// Number returns three digits of a value, more of a large one.
func Number(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case size >= 1000:
		text := fmt.Sprintf("%.0f", v)
		for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
			text = text[:i] + "," + text[i:]
		}
		return text
	case size >= 100:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
