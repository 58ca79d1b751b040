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
	e.queue(fmt.Sprint(r))
	return e.Bus.History(ctx, r)
}

// Clock implements hub.Bus.
func (e *ear) Clock(ctx context.Context) (event.Clock, error) {
	e.queue("clock")
	return e.Bus.Clock(ctx)
}

// queue has who does something wait for a while, by what that is: the hub's
// readers may all ask at once, and the feed goes on when the beat does.
func (e *ear) queue(what string) { time.Sleep(e.dice.duration(usual, purpose(what))) }

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
		h.ear.queue("feed")
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
