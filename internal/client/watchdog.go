package client

import (
	"context"
	"fmt"
	"io"
	"time"
)

// watchdog cancels a connection that is waited for too long. It runs only
// while something is waited for: a handler may take its time.
type watchdog struct {
	limit time.Duration
	timer *time.Timer
}

func newWatchdog(limit time.Duration, cancel context.CancelCauseFunc) *watchdog {
	timer := time.AfterFunc(limit, func() { cancel(fmt.Errorf("nothing came for %v: the connection is dead", limit)) })
	timer.Stop()
	return &watchdog{limit: limit, timer: timer}
}

func (w *watchdog) start() { w.timer.Reset(w.limit) }
func (w *watchdog) stop()  { w.timer.Stop() }

// guard returns a reader over r whose every Read is watched.
func (w *watchdog) guard(r io.Reader) io.Reader { return guarded{r, w} }

type guarded struct {
	io.Reader
	watchdog *watchdog
}

func (g guarded) Read(p []byte) (int, error) {
	g.watchdog.start()
	defer g.watchdog.stop()
	return g.Reader.Read(p)
}
