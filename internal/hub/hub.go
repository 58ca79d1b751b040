// Package hub is the engine: it takes a bus' feed, keeps the recent frames of
// the topics that somebody here listens to, and hands each subscriber what
// lies between its cursor and the watermark. It knows no HTTP and no Redis.
//
// A subscriber is a position, not a queue. The feed appends a frame to its
// topic's log and then raises the watermark; a subscriber reads the watermark
// first and then takes, merged by position over its topics, what the logs
// hold up to there. The order of those reads matters. Were the watermark read
// last:
//
//	subscriber                    feed
//	reads log A: nothing new
//	                              appends 7 to A, 8 to B, watermark 8
//	reads log B: 8
//	reads the watermark: 8
//
// it would hand out 8, and 7 would lie behind its cursor for ever.
//
// Replay, live and catching up are one path: what the log does not reach back
// to is read from the bus by a few workers, in pages that all subscribers
// share, and what the bus does not have any more is a gap.
package hub

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tickertape/internal/event"
)

// ErrNotReady says that the hub has not heard from its bus yet. It passes.
var ErrNotReady = errors.New("the hub has not heard from its bus yet")

// Hub serves subscribers from a bus. Its methods may be called from any
// goroutine.
type Hub struct {
	bus     Bus
	options Options
	mark    atomic.Pointer[watermark]
	ready   chan struct{} // closed by the first stretch
	reads   reads
	bytes   atomic.Int64 // of all logs
	began   time.Time
	counts  counts

	// mu keeps logs from beginning in the middle of a stretch: the feed
	// holds it shared while it appends a stretch and raises the watermark,
	// whoever makes or drops a log holds it alone. A log begins complete
	// from the watermark on; without the lock an event that the feed has
	// just passed over, for want of a log, could lie behind that watermark.
	mu   sync.RWMutex
	logs map[event.Topic]*log

	selections selections // under mu

	watches watches

	idleMu sync.Mutex
	idle   []idleLog // logs that lost their last subscriber, in that order

	touched []*log // by the stretch in hand; the feed's own
}

type idleLog struct {
	log   *log
	since time.Time
}

// New returns a Hub over the bus. It does nothing until Run.
func New(bus Bus, o Options) *Hub {
	return &Hub{bus: bus, options: o.withDefaults(), ready: make(chan struct{}),
		began: time.Now(), reads: newReads(), logs: map[event.Topic]*log{}, selections: newSelections(), watches: newWatches()}
}

// Run runs the hub until ctx ends, and then returns nil when all that it
// started has ended. Another error means that the bus cannot work at all.
func (h *Hub) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.bus.Run(ctx, h) })
	for range h.options.Readers {
		g.Go(func() error { return h.read(ctx) })
	}
	g.Go(func() error { return h.tidy(ctx) })
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Ready is closed once the hub has heard from its bus.
func (h *Hub) Ready() <-chan struct{} { return h.ready }

// Subscribers returns how many subscribers of the topic this node has.
func (h *Hub) Subscribers(t event.Topic) int {
	h.mu.RLock()
	l := h.logs[t]
	h.mu.RUnlock()
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seats)
}

// Feed implements event.Sink: it appends the stretch, raises the watermark,
// then wakes those who were idle, in this order.
func (h *Hub) Feed(s event.Stretch) {
	h.touched = h.touched[:0]
	h.mu.RLock()
	mark := h.mark.Load()
	complete := event.Position{}
	if mark != nil {
		complete = mark.clock.Position
	}
	if s.Broken && mark != nil {
		h.mend(s, mark.clock)
		h.watches.mend(s, h)
		h.counts.repairs.Add(1)
	}
	for _, e := range s.Events {
		h.append(&frame{event: e}, complete)
		if e.End != "" {
			h.counts.end(e.End)
			h.watches.tell(e.Topic, e.End)
		}
	}
	for _, l := range s.Losses {
		f := holeFrame(l.Topic, l.Gap)
		f.event.Prev = l.Prev
		h.append(f, complete)
	}
	clear(h.selections.fed)
	h.mark.Store(mark.next(s.Clock))
	h.mu.RUnlock()
	if mark == nil {
		close(h.ready)
	}
	for _, l := range h.touched {
		l.wake()
	}
	clear(h.touched)
}

// append adds the frame to its topic's log, if there is one, and to those of the
// selectors that match the topic. Only the feed calls it.
func (h *Hub) append(f *frame, complete event.Position) {
	if l := h.logs[f.event.Topic]; l != nil && l.append(f, complete, h) {
		h.touched = append(h.touched, l)
	}
	if len(h.selections.logs) > 0 {
		h.selections.append(f, complete, h)
	}
}

// mend bridges a break in the feed: the logs of topics that may have events in
// it begin anew behind it, and whoever is not that far reads the history.
// Where the break took the store's epoch along, nothing counts any more that
// stands behind the end of the old one, and nothing at all of one that the
// store does not know.
func (h *Hub) mend(s event.Stretch, before event.Clock) {
	base, lost := s.Clock.Resolve(event.Cursor{Epoch: before.Epoch, Position: before.Position})
	for _, l := range h.logs {
		_, intact := s.Intact[l.topic]
		if l.mend(base, s.Clock, intact && lost == "", h) {
			h.touched = append(h.touched, l)
		}
	}
	for _, l := range h.selections.logs { // of all their topics, nobody knows
		if l.mend(base, s.Clock, false, h) {
			h.touched = append(h.touched, l)
		}
	}
}

// Topics implements event.Sink.
func (h *Hub) Topics() []event.Topic {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Collect(maps.Keys(h.logs))
}

// join adds the subscriber to the topic's log, which it makes if need be.
func (h *Hub) join(t event.Topic, s *Subscriber, src *source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.logs[t]
	now := h.mark.Load().clock
	if l == nil {
		l = newLog(t, h.options.Rules.Of(t), now)
		h.logs[t] = l
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outlive(now.Position, h.options.Age, h)
	l.seat(s, src)
}

// leave takes the subscriber out of the source's log.
func (h *Hub) leave(s *Subscriber, src *source) {
	now := time.Now()
	l := src.log
	if !l.remove(s, src, now) {
		return
	}
	h.idleMu.Lock()
	h.idle = append(h.idle, idleLog{l, now})
	h.idleMu.Unlock()
	h.prune(now.Add(-h.options.LogLinger))
}

// tidy drops logs that nobody listens to any more and pages that are old.
func (h *Hub) tidy(ctx context.Context) error {
	tick := time.NewTicker(min(h.options.LogLinger, h.options.PageLife) / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			h.prune(now.Add(-h.options.LogLinger))
			h.reads.expire(now.Add(-h.options.PageLife))
			h.selections.expire(h, now.Add(-h.options.PageLife))
		}
	}
}

// prune drops logs that were left before the given time.
func (h *Hub) prune(before time.Time) {
	for _, left := range h.unused(before) {
		h.drop(left)
	}
}

// unused takes from the queue the logs that were left before the given time,
// and those that are too many: whoever comes and goes with ever new topics
// leaves no more than that behind.
func (h *Hub) unused(before time.Time) (left []idleLog) {
	h.idleMu.Lock()
	defer h.idleMu.Unlock()
	for len(h.idle) > h.options.IdleLogs || len(h.idle) > 0 && h.idle[0].since.Before(before) {
		left = append(left, h.idle[0])
		h.idle[0] = idleLog{}
		h.idle = h.idle[1:]
	}
	return left
}

// drop forgets the log, unless somebody came back to it.
func (h *Hub) drop(left idleLog) {
	l := left.log
	h.mu.Lock()
	defer h.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seats) > 0 || l.left != left.since {
		return
	}
	switch {
	case l.selection == nil && h.logs[l.topic] == l:
		delete(h.logs, l.topic)
		l.weigh(-l.bytes, h)
	case l.selection != nil && h.selections.logs[string(l.topic)] == l:
		h.selections.remove(string(l.topic))
		l.weigh(-l.bytes, h)
	}
}
