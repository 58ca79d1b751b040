//go:build linux

package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tickertape/bench/internal/cases"
	"tickertape/bench/internal/report"
	"tickertape/bench/internal/server"
)

func figure(value float64) cases.Figure {
	return cases.Figure{Name: "CPU per delivery", Unit: "µs", Value: value}
}

// result is of five rounds, in which Nchan failed once.
func result(t *testing.T, wrong string) cases.Result {
	t.Helper()
	chosen, err := cases.Named([]string{"fanout"})
	if err != nil {
		t.Fatal(err)
	}
	r := cases.Result{Case: chosen[0], Samples: map[string][]cases.Sample{}}
	for i, value := range []float64{8, 7, 90, 9, 7.5} {
		r.Samples[server.Hub] = append(r.Samples[server.Hub], cases.Sample{Figures: []cases.Figure{figure(value)}, Wrong: wrong})
		r.Samples[server.Floor] = append(r.Samples[server.Floor], cases.Sample{Figures: []cases.Figure{figure(value - 1)}})
		sample := cases.Sample{Figures: []cases.Figure{figure(12)}}
		if i == 2 {
			sample = cases.Sample{Wrong: "it has <ended>;\nits log ends here"}
		}
		r.Samples[server.Nchan] = append(r.Samples[server.Nchan], sample)
	}
	return r
}

func TestTables(t *testing.T) {
	t.Parallel()
	for wrong, want := range map[string][]string{
		"": {
			"| median (least–most) | hub                 | floor               | nchan               |\n",
			"| CPU per delivery    | 8.00 µs (7.00–90.0) | 7.00 µs (6.00–89.0) | 12.0 µs (12.0–12.0) |\n",
			"| CPU per delivery ≤ 1.25 × the floor's | 1.14     | yes     |\n",
			"| p99 ≤ Nchan's                         | –        | no      |\n",
			"**nchan** was not right in 1 of 5 rounds:\n\n- it has <ended>; its log ends here\n",
		},
		"3 lost": {
			"| CPU per delivery ≤ 1.25 × the floor's | 1.14     | no      |\n",
			"**hub** was not right in 5 of 5 rounds:\n\n- 3 lost\n",
		},
	} {
		got := report.Tables([]cases.Result{result(t, wrong)})
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("no %q in\n%s", part, got)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{
		0: "0.00", 1.234: "1.23", -6: "-6.00", 12.34: "12.3", 123.4: "123", 1234: "1,234", 12345678: "12,345,678", -123456: "-123,456",
		math.NaN(): "–", math.Inf(1): "–",
	} {
		if got := report.Number(value); got != want {
			t.Errorf("%v: %q, want %q", value, got, want)
		}
	}
}

// What is written says what was run, and shows its picture.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	about := report.About{Machine: "2 cores", Versions: []string{"hub: 1.2.3"}, Command: "make bench ROUNDS=5", Rounds: 5, Size: cases.Size{Share: 0.1}}
	if err := report.Write(dir, []cases.Result{result(t, "")}, about); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"`make bench ROUNDS=5`", "- 2 cores.", "- hub: 1.2.3\n", "(results.svg)", "10 % of the connections", "## fanout"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("no %q in\n%s", part, page)
		}
	}
	picture, err := os.Open(filepath.Join(dir, "results.svg"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = picture.Close() }()
	in := xml.NewDecoder(picture)
	for err == nil {
		_, err = in.Token()
	}
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
