package simulation_test

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"tickertape/internal/fakeredis"
	"tickertape/internal/simulation"
)

var (
	seed  = flag.Uint64("seed", 0, "run this seed alone, and tell all that happens")
	first = flag.Uint64("first", 1, "the first of the seeds to run")
	seeds = flag.Uint64("seeds", 50, "how many seeds to run")
)

// TestSimulation makes runs, and repeats one.
func TestSimulation(t *testing.T) {
	t.Parallel()
	lua := fakeredis.NewLua()
	if *seed > 0 {
		v := run(t, *seed, lua, true)
		t.Logf("%s", strings.Join(v.Trace, "\n"))
		judge(t, *seed, v)
		return
	}
	var next atomic.Uint64
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint("worker ", worker), func(t *testing.T) {
			t.Parallel()
			for n := next.Add(1) - 1; n < *seeds; n = next.Add(1) - 1 {
				judge(t, *first+n, run(t, *first+n, lua, false))
			}
		})
	}
}

// TestSeedRepeats makes some runs again and again: whatever happened in one has
// to happen in all. It does but for a few seeds in a thousand: several goroutines
// of a node may wait for one call of its bus, and what they do next is a race.
// So a few may differ here; what makes all of them differ is a mistake.
func TestSeedRepeats(t *testing.T) {
	t.Parallel()
	const again, few = 2, 2
	lua := fakeredis.NewLua()
	var others []uint64
	for _, n := range []uint64{7, 21, 69, 78, 80, 97, 104, 113, 120, 127} {
		once := run(t, n, lua, true)
		for range again {
			if v := run(t, n, lua, true); !slices.Equal(v.Trace, once.Trace) {
				others = append(others, n)
			}
		}
	}
	t.Logf("%d runs were others than the first of their seed: %v", len(others), others)
	if len(others) > few {
		t.Errorf("of 10 seeds, %d runs of %d were others than the first: %v", len(others), 10*again, others)
	}
}

func run(t *testing.T, seed uint64, lua *fakeredis.Lua, tracing bool) (v simulation.Verdict) {
	synctest.Test(t, func(*testing.T) { v = simulation.Run(seed, lua, tracing) })
	return v
}

func judge(t *testing.T, seed uint64, v simulation.Verdict) {
	if len(v.Faults) > 0 {
		t.Errorf("-seed=%d:\n%s", seed, strings.Join(v.Faults, "\n"))
	}
}
