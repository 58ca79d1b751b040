package simulation

import (
	"context"
	"sync"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
)

// ear is a bus that knows in which epoch its hub is. Cursors do not tell: each
// names the one that gave out its position.
type ear struct {
	*redisbus.Bus
	mu    sync.Mutex // held while the hub is fed
	epoch event.Epoch
}

// Run implements hub.Bus.
func (e *ear) Run(ctx context.Context, sink event.Sink) error {
	return e.Bus.Run(ctx, heard{sink, e})
}

// heard is a sink that an ear hears too.
type heard struct {
	event.Sink
	ear *ear
}

// Feed implements event.Sink.
func (h heard) Feed(s event.Stretch) {
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
