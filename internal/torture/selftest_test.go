package torture_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"tickertape/internal/defects"
	"tickertape/internal/torture"
)

// proof is what a case does to show a defect.
var proof = torture.Scale{Events: 3000, Rate: 600, Clients: 40, Topics: 12, Faults: 2}

// proofSeeds are tried one after the other until one shows the defect.
var proofSeeds = []uint64{1, 2, 3}

const matrixHeader = "| defect | what the hub does | lost without notice | doubled | out of order | false gaps | other | shown by |\n" +
	"| --- | --- | --: | --: | --: | --: | --: | --- |\n"

// TestSelfTest has the harness look for defects.
func TestSelfTest(t *testing.T) {
	list := defects.All()
	if text := os.Getenv("DEFECT"); text != "" {
		var err error
		if list, err = defects.Named(strings.Split(text, ",")...); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = fmt.Fprint(t.Output(), matrixHeader)
	for _, d := range list {
		t.Run(d.Name, func(t *testing.T) {
			overlay, err := defects.Overlay("../..", t.TempDir(), d)
			if err != nil {
				t.Fatal(err)
			}
			show(t, d, torture.Build(t, "-overlay", overlay))
		})
	}
}

// show runs the cases that should show the defect until one does, and prints
// its line of the matrix.
func show(t *testing.T, d defects.Defect, program string) {
	t.Helper()
	cases := d.Cases
	if text := os.Getenv("CASE"); text != "" {
		cases = strings.Split(text, ",")
	}
	for _, seed := range proofSeeds {
		for _, c := range chosen(t, torture.Cases(), cases) {
			row := torture.Try(t, c, program, proof, seed)
			t.Logf("%s, seed %d, %.1f s: %v %d %d", c.Name, seed, row.Took.Seconds(), row.String(), row.Other, len(row.Stuck))
			if err := row.Err(); err != nil {
				if testing.Verbose() {
					t.Log(firstLines(err.Error(), 5))
				}
				_, _ = fmt.Fprintf(t.Output(), "| `%s` | %s | %d | %d | %d | %d | %d | `%s`, seed %d |\n", d.Name, d.About,
					row.Lost, row.Doubled, row.Disordered, row.FalseGaps, row.Other+len(row.Stuck), c.Name, seed)
				return
			}
		}
	}
	t.Errorf("%s (%s): none of the cases %v shows it", d.Name, d.About, cases)
}

func firstLines(text string, n int) string {
	lines := strings.SplitN(text, "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "\n")
}
