package torture_test

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"tickertape/internal/defects"
	"tickertape/internal/torture"
)

// proof is what a case does to show a defect.
var proof = torture.Scale{Events: 3000, Rate: 600, Clients: 40, Topics: 12, Faults: 2}

// proofSeeds are tried one after the other until one shows the defect.
var proofSeeds = []uint64{1, 2, 3}

// TestSelfTest builds hubs with the defects of package defects: each has to be
// found by a case that finds nothing in a hub as it is. It prints the matrix of
// what was found: the whole one by "make torture-selftest". With all tests,
// two defects keep the self-test itself from rotting.
func TestSelfTest(t *testing.T) {
	t.Parallel()
	if os.Getenv("TORTURE") != "selftest" {
		for _, d := range named(t, "cursor-first", "losses-unreported") {
			t.Run(d.Name, func(t *testing.T) {
				t.Parallel()
				c := chosen(t, d.Cases)[0]
				if row := torture.Try(t, c, buildWith(t, d), torture.Short(), 1); row.Found() == nil {
					t.Errorf("%s does not show it: %s", c.Name, row.String())
				}
			})
		}
		return
	}
	list := defects.All()
	if text := os.Getenv("DEFECT"); text != "" {
		list = named(t, strings.Split(text, ",")...)
	}
	m := newMatrix(t)
	m.control(casesOf(t, list))
	for _, d := range list {
		t.Run(d.Name, func(t *testing.T) { m.show(t, d) })
	}
}

func named(t *testing.T, names ...string) []defects.Defect {
	t.Helper()
	list, err := defects.Named(names...)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func buildWith(t *testing.T, d defects.Defect) (program string) {
	t.Helper()
	overlay, err := defects.Overlay("../..", t.TempDir(), d)
	if err != nil {
		t.Fatal(err)
	}
	return torture.Build(t, "-overlay", overlay)
}

// casesOf returns the cases that are to show the defects, each once.
func casesOf(t *testing.T, list []defects.Defect) []torture.Case {
	t.Helper()
	var names []string
	for _, d := range list {
		for _, name := range d.Cases {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return chosen(t, names)
}

// matrix is what the self-test prints, also to the file TORTURE_TABLE, if there
// is to be one.
type matrix struct {
	t  *testing.T
	to io.Writer
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{t, t.Output()}
	if name := os.Getenv("TORTURE_TABLE"); name != "" {
		file, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		})
		m.to = io.MultiWriter(t.Output(), file)
	}
	m.print("| defect | what the hub does | lost without notice | doubled | out of order | false gaps | other | shown by |\n" +
		"| --- | --- | --: | --: | --: | --: | --: | --- |\n")
	return m
}

func (m *matrix) print(format string, args ...any) {
	if _, err := fmt.Fprintf(m.to, format, args...); err != nil {
		m.t.Error(err)
	}
}

// control runs the cases with a hub as it is: nothing is wrong.
func (m *matrix) control(cases []torture.Case) {
	m.t.Helper()
	program := torture.Build(m.t)
	ok := m.t.Run("none", func(t *testing.T) {
		for _, c := range cases {
			row := torture.Try(t, c, program, proof, proofSeeds[0])
			t.Logf("%.1f s: %s", row.Took.Seconds(), row.String())
			if err := row.Err(); err != nil {
				t.Error(err)
			}
		}
	})
	if ok {
		m.print("| none | what it should | 0 | 0 | 0 | 0 | 0 | none of the %d cases named below, seed %d |\n", len(cases), proofSeeds[0])
	}
}

// show runs the cases that are to show the defect until one does.
func (m *matrix) show(t *testing.T, d defects.Defect) {
	t.Helper()
	program := buildWith(t, d)
	cases := chosen(t, d.Cases)
	for _, seed := range proofSeeds {
		for _, c := range cases {
			row := torture.Try(t, c, program, proof, seed)
			t.Logf("%.1f s: %s", row.Took.Seconds(), row.String())
			if err := row.Found(); err != nil {
				words, _, _ := strings.Cut(err.Error(), "\n")
				t.Log(words)
				m.print("| `%s` | %s | %d | %d | %d | %d | %s | `%s`, seed %d |\n", d.Name, d.About,
					row.Lost, row.Doubled, row.Disordered, row.FalseGaps, others(row), c.Name, seed)
				return
			}
		}
	}
	t.Errorf("%s: none of the cases %v shows it", d.Name, d.Cases)
}

// others words what has no column of its own.
func others(r torture.Row) string {
	if len(r.Stuck) > 0 {
		return fmt.Sprintf("%d; never whole again", r.Other)
	}
	return fmt.Sprint(r.Other)
}
