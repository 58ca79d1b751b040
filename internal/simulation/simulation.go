// Package simulation is nodes, clients and publishers in one process, over a
// store that can be broken in every way. TODO
package simulation

import (
	"strings"

	"tickertape/internal/fakeredis"
)

// Verdict is what a run has shown.
type Verdict struct {
	Faults []string // what must not have happened
	Trace  []string // what happened, if it was asked for
}

// Run makes the run of a seed. It has to be called in a bubble of synctest.
func Run(seed uint64, lua *fakeredis.Lua, tracing bool) Verdict {
	w := newWorld(seed, lua, tracing)
	w.run()
	return Verdict{Faults: w.faults, Trace: w.lines}
}

func (v Verdict) String() string { return strings.Join(v.Faults, "\n") }
