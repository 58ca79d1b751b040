// Package simulation is whole clusters in one process: several nodes (hub and
// redisbus as they are) over a store that runs the bus' own scripts, with
// publishers, and with clients that come and go. All of them live in a bubble
// of testing/synctest, where time is made up, so a run of half a minute takes
// some tens of milliseconds. Whatever may differ from run to run is drawn by
// the run's seed, which repeats it.
//
// The store can be cut off, slowed down, frozen, restarted, and brought back as
// it was some time ago, or empty. Nodes crash.
//
// The simulation sees all that the stores take in, and so knows the truth: the
// history of each store as a tree (history.go), in which a store that comes
// back with older data begins a branch of its own. Each answer to a publisher,
// and each block that a client gets, is held against that tree as it comes.
package simulation

import "tickertape/internal/fakeredis"

// Verdict is what a run has shown.
type Verdict struct {
	Faults []string // what must not have happened
	Trace  []string // all that happened, if it was asked for
}

// Run makes the run of a seed. It has to be called in a bubble of synctest.
func Run(seed uint64, lua *fakeredis.Lua, tracing bool) Verdict {
	w := newWorld(seed, lua, tracing)
	w.run()
	return Verdict{Faults: w.faults, Trace: w.lines}
}
