package simulation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
)

// ear is a bus that knows in which epoch its hub is. Cursors do not tell: each
// names the one that gave out its position. What goroutines of a node would do at
// one moment, in any order, it has them do one after the other.
type ear struct {
	*redisbus.Bus
	dice  dice
	mu    sync.Mutex // held while the hub is fed
	epoch event.Epoch
}

// Run implements hub.Bus.
func (e *ear) Run(ctx context.Context, sink event.Sink) error {
	return e.Bus.Run(ctx, heard{sink, e})
}

// History implements hub.Bus.
func (e *ear) History(ctx context.Context, r event.Range) (event.Page, error) {
	return e.Bus.History(e.asked(ctx, fmt.Sprint(r)), r)
}

// Clock implements hub.Bus.
func (e *ear) Clock(ctx context.Context) (event.Clock, error) {
	return e.Bus.Clock(e.asked(ctx, "clock"))
}

// asked has one of the hub's readers wait before it asks for something, and
// behind each step of that: all of them may ask at once, and wait for the same
// answer.
func (e *ear) asked(ctx context.Context, what string) context.Context {
	wait := func() { e.wait(what) }
	wait()
	return patient{ctx, wait}
}

// wait has who does something wait for a while that depends on what it is.
func (e *ear) wait(what string) { time.Sleep(e.dice.duration(usual, purpose(what))) }

// heard is a sink that an ear hears too.
type heard struct {
	event.Sink
	ear *ear
}

// Topics implements event.Sink, in the same order each time.
func (h heard) Topics() []event.Topic { return slices.Sorted(slices.Values(h.Sink.Topics())) }

// Feed implements event.Sink.
func (h heard) Feed(s event.Stretch) {
	if s.Broken {
		h.ear.wait("feed") // what it was told, others may have been told too
	}
	h.ear.mu.Lock()
	defer h.ear.mu.Unlock()
	h.ear.epoch = s.Clock.Epoch
	h.ear.epoch.Store = 0 // as of parseCursor
	h.Sink.Feed(s)
}

// take takes what there is for a stream, and returns the epoch too in which
// that is.
func (e *ear) take(s *hub.Subscriber, most int) ([][]byte, hub.State, event.Epoch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	blocks, state := s.Take(nil, most)
	return blocks, state, e.epoch
}

// patient is a context in which who ends a step of a call waits.
type patient struct {
	context.Context
	wait func()
}

// Value implements context.Context. It hides that the context is one of those of
// which package context knows all by itself.
func (patient) Value(any) any { return nil }

// AfterFunc has package context call stop when a context of a step ends.
func (p patient) AfterFunc(f func()) func() bool {
	stop := context.AfterFunc(p.Context, f)
	return func() bool {
		p.wait()
		return stop()
	}
}
