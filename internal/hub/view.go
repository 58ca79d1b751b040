package hub

import (
	"slices"
	"sort"

	"tickertape/internal/event"
)

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
	if l.kind == event.KindEphemeral || !l.floor.After(after) {
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
// stand, or all if there are fewer. Of an ephemeral topic, none does. If nothing
// here tells, it behaves as view does.
func (l *log) tail(s *Subscriber, src *source, n int, opened event.Position, now event.Clock) (event.Position, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	frames := l.frames[l.head:]
	upto := len(frames) - len(behind(frames, opened))
	switch {
	case l.kind == event.KindEphemeral:
		return opened, true
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

func (l *log) isEphemeral() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kind == event.KindEphemeral
}
