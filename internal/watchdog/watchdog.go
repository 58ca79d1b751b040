// Package watchdog ends what is waited for too long.
package watchdog

import (
	"context"
	"io"
	"time"
)

// Watchdog cancels a connection on which nothing comes. It runs only while
// something is waited for: whoever handles what came may take their time.
type Watchdog struct {
	limit time.Duration
	timer *time.Timer
}

// New returns a watchdog that cancels with the cause once something was waited
// for longer than the limit. It does not run yet; the caller has to Stop it in
// the end.
func New(limit time.Duration, cancel context.CancelCauseFunc, cause error) *Watchdog {
	timer := time.AfterFunc(limit, func() { cancel(cause) })
	timer.Stop()
	return &Watchdog{limit: limit, timer: timer}
}

// Start says that something is waited for, from now on.
func (w *Watchdog) Start() { w.timer.Reset(w.limit) }

// Stop says that nothing is waited for any more.
func (w *Watchdog) Stop() { w.timer.Stop() }

// Guard returns a reader over r whose every Read is watched.
func (w *Watchdog) Guard(r io.Reader) io.Reader { return guarded{r, w} }

type guarded struct {
	io.Reader
	watchdog *Watchdog
}

// Read implements io.Reader.
func (g guarded) Read(p []byte) (int, error) {
	g.watchdog.Start()
	defer g.watchdog.Stop()
	return g.Reader.Read(p)
}
