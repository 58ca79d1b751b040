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
// to happen in all. Of a few seeds in a thousand it does not: several goroutines
// of a node may wait for one call of its bus, and what they do next is a race.
func TestSeedRepeats(t *testing.T) {
	t.Parallel()
	lua := fakeredis.NewLua()
	for _, n := range []uint64{7, 21, 69, 78, 80, 97, 104, 113, 117, 127} {
		once := run(t, n, lua, true)
		for range 2 {
			if again := run(t, n, lua, true); !slices.Equal(again.Trace, once.Trace) {
				t.Errorf("-seed=%d: another run was another one", n)
				break
			}
		}
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
