package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// signalled is the cause of a context that a signal ended.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return "signal " + s.String() }

// untilSignal returns a context that the first SIGINT or SIGTERM ends, with
// that signal as the cause. The second one ends the process at once. stop
// gives both signals back their usual meaning.
func untilSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var watching sync.WaitGroup
	watching.Go(func() {
		first, ok := <-signals
		if !ok {
			return
		}
		cancel(signalled{first})
		if _, ok := <-signals; ok {
			os.Exit(1)
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		watching.Wait()
		cancel(nil)
	}
}
