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

	holed bool     // there are holes among the frames
	ahead []*frame // and some that begin among them, and end behind
	mixed bool     // events may stand in the holes: there are several topics, or a table
}

// skip passes over what has been superseded: what took its place comes later.
func (v *view) skip() {
	for len(v.frames) > 0 && v.frames[0].stale.Load() {
		v.frames = v.frames[1:]
	}
}

// entered returns the holes that a stream enters which goes on to position next.
func (v *view) entered(next event.Position) (list []*frame) {
	frames := v.frames
	switch {
	case !v.holed:
		frames = nil
	case !v.mixed && len(frames) > 0:
		frames = frames[:1] // the only one that it can be
	}
	for _, frames := range [][]*frame{frames, v.ahead} {
		for _, f := range frames {
			if f.hole() && f.position().After(next) && (!v.mixed || next.After(f.event.Prev)) {
				list = append(list, f)
			}
		}
	}
	return list
}

// view returns what there is for the source behind after, up to the watermark,
// which is now, at most. If nothing here reaches back that far, it notes that the subscriber
// wants it and reports false; the subscriber is woken when it is there. So it
// does if the log is in another epoch already, and the subscriber has to look
// at the watermark again.
//
// The source keeps the page that it reads from until it is through with it.
// Could others push it out before, then a stream of many topics, which needs a
// page of each at the same time, might never have them all.
func (l *log) view(s *Subscriber, src *source, after event.Position, now event.Clock) (view, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	src.end = l.ending.at
	mixed := l.selection != nil || l.kind == event.KindLatest
	var asked part
	if l.selection != nil {
		asked = s.part(after)
	}
	switch {
	case l.kind == event.KindEphemeral: // nothing to be missed
		return view{source: src, frames: behind(l.frames[l.head:], after), upto: now.Position}, true
	case asked == part{} && l.epoch == now.Epoch && !l.floor.After(after):
		l.inquire(s, src)
		src.page = nil
		return view{source: src, frames: behind(l.frames[l.head:], after), upto: now.Position, holed: l.holes > 0, mixed: mixed}, true
	}
	covers := func(p *page) bool { return p.epoch == now.Epoch && p.part == asked && p.covers(after) }
	if src.page == nil || !covers(src.page) {
		src.page = l.shared(covers)
	}
	if p := src.page; p != nil {
		return view{source: src, page: p, frames: behind(p.frames, after), upto: event.Earliest(p.upto, now.Position),
			holed: p.holes > 0, ahead: p.ahead, mixed: mixed}, true
	}
	l.want(s, want{source: src, epoch: now.Epoch, after: after, part: asked})
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
	switch first := lastEvent(frames[:upto], n); {
	case l.kind == event.KindEphemeral:
		return opened, true
	case l.epoch != now.Epoch, opened.After(now.Position): // as in view
	case first != nil:
		return first.event.Prev, true
	case l.floor.IsZero():
		return event.Position{}, true
	}
	begins := func(p *page) bool { return p.epoch == now.Epoch && p.last == n && p.opened == opened }
	if src.page == nil || !begins(src.page) {
		src.page = l.shared(begins)
	}
	if src.page != nil {
		return src.page.after, true
	}
	l.want(s, want{source: src, epoch: now.Epoch, last: n, opened: opened})
	return event.Position{}, false
}

// lastEvent returns the n-th event from the end, or nil if there are fewer. Holes
// do not count, nor what is superseded.
func lastEvent(frames []*frame, n int) *frame {
	for _, f := range slices.Backward(frames) {
		if !f.hole() && !f.stale.Load() {
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

// behind returns the frames behind p. Most come from close to the end, so it looks
// there first, in steps that double.
func behind(frames []*frame, p event.Position) []*frame {
	low, high := 0, len(frames)
	for step := 1; low < high; step *= 2 {
		at := max(len(frames)-step, 0)
		if !frames[at].position().After(p) {
			low = at + 1
			break
		}
		high = at
	}
	return frames[low+sort.Search(high-low, func(i int) bool { return frames[low+i].position().After(p) }):]
}

// mayHaveTables reports whether the topic is a table, or the selector may match one.
func (l *log) mayHaveTables() bool {
	if l.selection != nil {
		return l.selection.mayHaveTables()
	}
	return l.is(event.KindLatest)
}

// is reports whether the topic is of the kind, as far as is known.
func (l *log) is(k event.Kind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kind == k
}
