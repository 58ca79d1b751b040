package simulation_test

import (
	"flag"
	"strings"
	"testing"
	"testing/synctest"

	"tickertape/internal/fakeredis"
	"tickertape/internal/simulation"
)

var (
	seed  = flag.Uint64("seed", 0, "the one seed to run, with a trace")
	seeds = flag.Uint64("seeds", 200, "how many seeds to run")
)

func TestSimulation(t *testing.T) {
	lua := fakeredis.NewLua()
	if *seed > 0 {
		synctest.Test(t, func(t *testing.T) {
			v := simulation.Run(*seed, lua, true)
			t.Logf("%s", strings.Join(v.Trace, "\n"))
			if len(v.Faults) > 0 {
				t.Error(v)
			}
		})
		return
	}
	for n := uint64(1); n <= *seeds; n++ {
		var v simulation.Verdict
		synctest.Test(t, func(t *testing.T) { v = simulation.Run(n, lua, false) })
		if len(v.Faults) > 0 {
			t.Errorf("seed %d:\n%s", n, v)
		}
	}
}
