package torture_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tickertape/internal/torture"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTorture runs cases and prints the table of what became of them: all of
// them at full length by "make torture", and a few short ones with all tests.
func TestTorture(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	full := os.Getenv("TORTURE") == "full"
	cases, scale := chosen(t, short()), torture.Short()
	if full {
		cases, scale = slices.Concat(torture.Cases(), torture.Pairs(seed, pairs)), torture.Full()
	}
	if text := os.Getenv("CASE"); text != "" {
		cases = chosen(t, strings.Split(text, ","))
	}
	program := torture.Build(t)
	_, _ = fmt.Fprintf(t.Output(), "seed %d\n%s", seed, torture.Header)
	table := newTable(t, seed)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if !full {
				t.Parallel()
			}
			row := torture.Try(t, c, program, scale, seed)
			_, _ = fmt.Fprint(t.Output(), row.String())
			table.add(row)
			if err := row.Err(); err != nil {
				t.Errorf("%v\n%s", err, row.Log)
			}
		})
	}
}

// pairs is how many pairs of faults the table has.
const pairs = 10

// short are the names of the cases that all tests run.
func short() []string { return []string{"sub-killed-50", "redis-rdb", "hub-killed", "cut-anywhere"} }

// seed returns SEED, or one that was never tried.
func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// table is the file TORTURE_TABLE, if there is to be one.
type table struct {
	t    *testing.T
	file *os.File
}

func newTable(t *testing.T, seed uint64) *table {
	t.Helper()
	name := os.Getenv("TORTURE_TABLE")
	if name == "" {
		return &table{}
	}
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	_, _ = fmt.Fprintf(file, "`make torture SEED=%d`\n\n%s", seed, torture.Header)
	return &table{t, file}
}

func (x *table) add(r torture.Row) {
	if x.file == nil {
		return
	}
	if _, err := x.file.WriteString(r.String()); err != nil {
		x.t.Error(err)
	}
}

func chosen(t *testing.T, names []string) (cases []torture.Case) {
	t.Helper()
	for _, name := range names {
		c, ok := torture.Named(name)
		if !ok {
			t.Fatalf("there is no case %q", name)
		}
		cases = append(cases, c)
	}
	return cases
}
