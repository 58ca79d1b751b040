package hub

import (
	"slices"
	"sync"
	"time"

	"tickertape/internal/event"
)

// log is this node's memory of one topic: its newest frames, and pages of
// older ones that were read from the bus for those who need them.
type log struct {
	topic event.Topic
	keys  int // the most that it may have as a table; as many may be deleted

	mu    sync.Mutex
	kind  event.Kind
	epoch event.Epoch // of the watermark
	// frames holds everything of the topic behind floor that the feed has
	// brought, oldest first; frames[:head] is cut off. The array is only
	// ever appended to or replaced, so a slice of it that a reader took
	// stays valid without the lock.
	frames []*frame
	head   int
	floor  event.Position
	proven bool // an event of the topic stood at floor, or is lost up to there
	bytes  int
	holes  int // among the frames
	table  table

	seats   []seat
	left    time.Time // when the last subscriber left
	touched bool      // by the stretch in hand
	warmth  uint64    // for nothing but having read what is summed up here

	pages  []*page              // shared; each subscriber has its own hold on the one in use
	wants  map[*Subscriber]want // who waits for which page
	queued bool                 // in reads, or in a worker's hands
	ahead  ahead                // how far the next read goes

	ending    ending
	selection *selection // nil: the log is a topic's
}

func newLog(t event.Topic, r event.Rule, now event.Clock) *log {
	if r.Keys == 0 {
		r.Keys = event.DefaultKeys
	}
	return &log{topic: t, kind: r.Kind, keys: r.Keys, epoch: now.Epoch, floor: now.Position}
}

// append adds the topic's next event, or hole, and reports whether it is the
// first change of its stretch. Of the topic nothing is missing up to complete.
func (l *log) append(f *frame, complete event.Position, h *Hub) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.selection != nil {
		if f.event.Prev.After(complete) {
			l.restart(f.position().Previous(), h) // as in connect, for this topic
		}
	} else if !l.admit(f, complete, h) {
		return false
	}
	l.supersede(f, h)
	l.frames = append(l.frames, f)
	l.weigh(f.size(), h)
	if f.hole() {
		l.holes++
	}
	for l.overfull(h) {
		l.cut(h)
	}
	l.pack()
	return l.touch()
}

// admit makes the log of a topic ready for the frame, and reports whether it
// takes it.
func (l *log) admit(f *frame, complete event.Position, h *Hub) bool {
	l.outlive(f.position(), h.options.Age, h)
	last := event.Latest(complete, l.floor)
	if len(l.frames) > l.head {
		last = event.Latest(last, l.frames[len(l.frames)-1].position())
	}
	if kind := f.event.Kind; !f.hole() && kind != l.kind {
		l.restart(last, h)
		l.kind = kind
	}
	if l.kind == event.KindEphemeral {
		return !f.hole()
	}
	l.connect(f, last, h)
	l.observe(f, h)
	return true
}

// weigh notes that the log has grown by so many bytes.
func (l *log) weigh(bytes int, h *Hub) {
	l.bytes += bytes
	h.bytes.Add(int64(bytes))
}

// connect joins the frame to what the log has: all of the topic up to last.
func (l *log) connect(f *frame, last event.Position, h *Hub) {
	prev := f.event.Prev
	if prev.After(last) {
		// The feed could not bring what was lost meanwhile: the log
		// begins anew, and the history tells of the hole.
		l.restart(prev, h)
		l.proven = true
	}
	if l.head == len(l.frames) && !prev.After(l.floor) {
		l.floor, l.proven = prev, true // nothing of the topic lay between
	}
}

// touch reports whether this is the log's first change of the stretch.
func (l *log) touch() bool {
	first := !l.touched
	l.touched = true
	return first
}

// restart empties the log, which begins at floor now.
func (l *log) restart(floor event.Position, h *Hub) {
	l.weigh(-l.bytes, h)
	l.frames, l.head, l.holes, l.table = nil, 0, 0, table{}
	l.floor, l.proven = floor, false
}

// mend bridges a break from base, up to which what was fed still counts, to
// the watermark to come, and reports whether the log changed. If it is intact,
// nothing of the topic lies in the break.
func (l *log) mend(base event.Position, to event.Clock, intact bool, h *Hub) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.epoch
	if l.epoch != to.Epoch {
		l.epoch, l.pages, l.ahead = to.Epoch, nil, ahead{}
	}
	if l.kind == event.KindEphemeral && l.epoch == before {
		return false // what passed meanwhile is missed, and what is here still counts
	}
	if len(behind(l.frames[l.head:], base)) > 0 {
		intact = false // the store lost what was fed
	}
	if !intact || l.epoch != before && !l.ending.endedBy(base) {
		l.doubt(h)
	}
	if intact {
		l.floor = event.Earliest(l.floor, base)
		return false
	}
	l.restart(to.Position, h)
	return l.touch()
}

// manyTopics is how many times as much as a topic's the log of a selector may hold.
const manyTopics = 8

// overfull reports whether the log has to give up its oldest frame: for its own
// limits, or because all logs together are too large and this one grows.
// A table is as large as its keys, of which the store takes only so many.
func (l *log) overfull(h *Hub) bool {
	n, most, bytes := len(l.frames)-l.head-l.table.stale, h.options.LogFrames, h.options.LogBytes
	if l.kind == event.KindLatest {
		most, bytes = max(most, 2*l.keys), h.options.LogsBytes
	}
	if l.selection != nil {
		most, bytes = most*manyTopics, bytes*manyTopics
	}
	return n > most || n > 1 && (l.bytes > bytes || h.bytes.Load() > int64(h.options.LogsBytes))
}

// wake wakes those of the log's subscribers who are idle.
func (l *log) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touched = false
	for list := range slices.Chunk(l.seats, 32) {
		for _, at := range list {
			l.warmth += uint64(at.subscriber.form) // fetches what follows, see Warm
		}
		for _, at := range list {
			if s := at.subscriber; s.armed.CompareAndSwap(true, false) {
				s.waker.Wake(s)
			}
		}
	}
}

// seat is where a log has a subscriber. The source knows the number of the seat, so
// that who leaves is not sought among thousands.
type seat struct {
	subscriber *Subscriber
	source     *source
}

// seat adds the subscriber. l.mu is held.
func (l *log) seat(s *Subscriber, src *source) {
	src.log, src.seat = l, int32(len(l.seats))
	l.seats = append(l.seats, seat{s, src})
}

// remove takes the subscriber out and reports whether it was the last one.
func (l *log) remove(s *Subscriber, src *source, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.wants, s)
	last := len(l.seats) - 1
	moved := l.seats[last]
	moved.source.seat = src.seat
	l.seats[src.seat], l.seats[last] = moved, seat{}
	l.seats = l.seats[:last]
	if last == 0 {
		l.left = now
	}
	return last == 0
}
