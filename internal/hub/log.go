package hub

import (
	"slices"
	"sort"
	"sync"
	"time"

	"tickertape/internal/event"
)

// log is this node's memory of one topic: its newest frames, and pages of
// older ones that were read from the bus for those who need them.
type log struct {
	topic event.Topic

	mu    sync.Mutex
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

	subscribers []*Subscriber
	left        time.Time // when the last subscriber left
	touched     bool      // by the stretch in hand

	pages  []*page              // shared; each subscriber has its own hold on the one in use
	wants  map[*Subscriber]want // who waits for which page
	queued bool                 // in reads, or in a worker's hands
	ahead  ahead                // how far the next read goes

	ending ending
}

func newLog(t event.Topic, now event.Clock) *log {
	return &log{topic: t, epoch: now.Epoch, floor: now.Position}
}

// append adds the topic's next event, or hole, and reports whether it is the
// first change of its stretch.
func (l *log) append(f *frame, complete event.Position, h *Hub) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	prev := f.event.Prev
	last := event.Latest(complete, l.floor)
	if len(l.frames) > l.head {
		last = event.Latest(last, l.frames[len(l.frames)-1].position())
	}
	if prev.After(last) {
		// The feed could not bring what was lost meanwhile: the log
		// begins anew, and the history tells of the hole.
		l.restart(prev, h)
		l.proven = true
	}
	if l.head == len(l.frames) && !prev.After(l.floor) {
		l.floor, l.proven = prev, true // nothing of the topic lay between
	}
	l.observe(f, h)
	l.frames = append(l.frames, f)
	l.bytes += f.size()
	h.bytes.Add(int64(f.size()))
	for l.overfull(h) {
		old := l.frames[l.head]
		l.floor, l.proven = old.position(), true
		l.bytes -= old.size()
		h.bytes.Add(-int64(old.size()))
		l.head++
	}
	if l.head > len(l.frames)/2 {
		l.frames = slices.Clone(l.frames[l.head:])
		l.head = 0
	}
	return l.touch()
}

// touch reports whether this is the log's first change of the stretch.
func (l *log) touch() bool {
	first := !l.touched
	l.touched = true
	return first
}

// restart empties the log, which begins at floor now.
func (l *log) restart(floor event.Position, h *Hub) {
	h.bytes.Add(-int64(l.bytes))
	l.frames, l.head, l.bytes = nil, 0, 0
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

// overfull reports whether the log has to give up its oldest frame: for its own
// limits, or because all logs together are too large and this one grows.
func (l *log) overfull(h *Hub) bool {
	n := len(l.frames) - l.head
	return n > h.options.LogFrames || n > 1 && (l.bytes > h.options.LogBytes || h.bytes.Load() > int64(h.options.LogsBytes))
}

// wake wakes those of the log's subscribers who are idle.
func (l *log) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touched = false
	l.rouse()
}

// rouse is wake for those who hold l.mu.
func (l *log) rouse() {
	for _, s := range l.subscribers {
		if s.armed.CompareAndSwap(true, false) {
			s.waker.Wake(s)
		}
	}
}

// remove takes the subscriber out and reports whether it was the last one.
func (l *log) remove(s *Subscriber, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.wants, s)
	i := slices.Index(l.subscribers, s)
	if i < 0 {
		return false
	}
	last := len(l.subscribers) - 1
	l.subscribers[i] = l.subscribers[last]
	l.subscribers[last] = nil
	l.subscribers = l.subscribers[:last]
	if last == 0 {
		l.left = now
	}
	return last == 0
}

// view is what a log has behind some position, complete up to upto.
type view struct {
	source *source
	page   *page // that the frames are of; nil: the log itself
	frames []*frame
	upto   event.Position
}

// view returns what there is for the source behind after, up to the watermark,
// which is now, at most. If nothing here reaches back that far, it notes that the subscriber
// wants it and reports false; the subscriber is woken when it is there.
//
// The source keeps the page that it reads from until it is through with it.
// Could others push it out before, then a stream of many topics, which needs a
// page of each at the same time, might never have them all.
func (l *log) view(s *Subscriber, src *source, after event.Position, now event.Clock) (view, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	src.end = l.ending.at
	if !l.floor.After(after) {
		l.inquire(s, src)
		src.page = nil
		return view{source: src, frames: behind(l.frames[l.head:], after), upto: now.Position}, true
	}
	covers := func(p *page) bool { return p.epoch == now.Epoch && p.covers(after) }
	if src.page == nil || !covers(src.page) {
		src.page = l.shared(covers)
	}
	if p := src.page; p != nil {
		return view{source: src, page: p, frames: behind(p.frames, after), upto: event.Earliest(p.upto, now.Position)}, true
	}
	l.want(s, want{source: src, after: after})
	return view{}, false
}

// release takes the page from the source, unless it has got another one.
func (l *log) release(src *source, p *page) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if src.page == p {
		src.page = nil
	}
}

// tail returns the position behind which the last n events up to opened
// stand, or all if there are fewer. If nothing here tells, it behaves as view does.
func (l *log) tail(s *Subscriber, src *source, n int, opened event.Position, now event.Clock) (event.Position, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	frames := l.frames[l.head:]
	upto := len(frames) - len(behind(frames, opened))
	switch {
	case upto >= n && !opened.After(now.Position):
		if first := lastEvent(frames[:upto], n); first != nil {
			return first.event.Prev, true
		}
	case l.floor.IsZero() && !opened.After(now.Position):
		return event.Position{}, true
	}
	begins := func(p *page) bool { return p.epoch == now.Epoch && p.last == n && p.opened == opened }
	if src.page == nil || !begins(src.page) {
		src.page = l.shared(begins)
	}
	if src.page != nil {
		return src.page.after, true
	}
	l.want(s, want{source: src, last: n, opened: opened})
	return event.Position{}, false
}

// lastEvent returns the n-th event from the end, holes not counted, or nil if
// there are fewer.
func lastEvent(frames []*frame, n int) *frame {
	for _, f := range slices.Backward(frames) {
		if !f.hole() {
			n--
		}
		if n == 0 {
			return f
		}
	}
	return nil
}

// shared returns the first shared page that fits, or nil. l.mu is held.
func (l *log) shared(fits func(*page) bool) *page {
	if i := slices.IndexFunc(l.pages, fits); i >= 0 {
		return l.pages[i]
	}
	return nil
}

// behind returns the frames behind p.
func behind(frames []*frame, p event.Position) []*frame {
	return frames[sort.Search(len(frames), func(i int) bool { return frames[i].position().After(p) }):]
}
