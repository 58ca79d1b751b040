package simulation_test

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"tickertape/internal/fakeredis"
	"tickertape/internal/simulation"
)

var (
	seed  = flag.Uint64("seed", 0, "run this seed alone, and tell all that happens")
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
	var last atomic.Uint64
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint("worker ", worker), func(t *testing.T) {
			t.Parallel()
			for n := last.Add(1); n <= *seeds; n = last.Add(1) {
				judge(t, n, run(t, n, lua, false))
			}
		})
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
