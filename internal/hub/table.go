package hub

import (
	"slices"
	"time"

	"tickertape/internal/event"
)

// table is what a log knows of the tables in it: a reader who is behind gets
// the newest frame of each key, in order of position, and none of those that it
// took the place of. They leave the log when they are about half of it.
type table struct {
	newest map[place]*frame
	stale  int // frames of the log that are not the newest of their place
}

// place is what an event of a table is the newest of.
type place struct {
	topic event.Topic
	key   string
}

// placed reports whether the frame has a place in a table, and which.
func (f *frame) placed() (place, bool) {
	e := &f.event
	return place{e.Topic, e.Key}, e.Kind == event.KindLatest && e.End == "" && !f.hole()
}

// supersede gives the frame its place. l.mu is held.
func (l *log) supersede(f *frame, h *Hub) {
	at, ok := f.placed()
	if !ok {
		return
	}
	if l.table.newest == nil {
		l.table.newest = map[place]*frame{}
	}
	if old := l.table.newest[at]; old != nil {
		old.stale.Store(true)
		l.table.stale++
		l.weigh(-old.size(), h)
	}
	l.table.newest[at] = f
}

// cut gives up the oldest frame. l.mu is held.
func (l *log) cut(h *Hub) {
	old := l.frames[l.head]
	l.floor, l.proven = old.position(), true
	l.head++
	if old.hole() {
		l.holes--
	}
	at, ok := old.placed()
	if ok && l.table.newest[at] != old {
		l.table.stale--
		return
	}
	if ok {
		delete(l.table.newest, at)
	}
	l.weigh(-old.size(), h)
}

// pack lets go of what is cut off or stale once that is most of the array, which
// readers may still hold. l.mu is held.
func (l *log) pack() {
	switch n := len(l.frames) - l.head; {
	case l.table.stale > n/2:
		l.frames = slices.DeleteFunc(slices.Clone(l.frames[l.head:]), func(f *frame) bool { return f.stale.Load() })
		l.table.stale = 0
	case l.head > len(l.frames)/2:
		l.frames = slices.Clone(l.frames[l.head:])
	default:
		return
	}
	l.head = 0
}

// absorb lengthens the log of a table by the pages that reach up to it, until
// it holds all of the table: whoever comes new is served from here, and gets
// nothing that is not the newest. l.mu is held.
func (l *log) absorb(h *Hub) {
	if l.kind != event.KindLatest {
		return
	}
	for more := true; more; {
		more = false
		for _, p := range l.pages {
			if l.floor.After(p.after) && !l.floor.After(p.upto) && h.bytes.Load()+int64(p.bytes) <= int64(h.options.LogsBytes) {
				l.prepend(p, h)
				more = true
			}
		}
	}
}

// prepend lengthens the log by what the page has before it.
func (l *log) prepend(p *page, h *Hub) {
	var older []*frame
	for _, f := range p.frames[:len(p.frames)-len(behind(p.frames, l.floor))] {
		at, ok := f.placed()
		if ok && l.table.newest[at] != nil {
			continue
		}
		older = append(older, f)
		if f.hole() {
			l.holes++
		}
		l.weigh(f.size(), h)
		if ok {
			l.supersede(f, h)
		}
	}
	l.frames, l.head = slices.Concat(older, l.frames[l.head:]), 0
	l.floor, l.proven = p.after, false
}

// outlive empties a table that had nothing new for so long, as of the moment at,
// that the store has dropped it. l.mu is held.
func (l *log) outlive(at event.Position, age time.Duration, h *Hub) {
	if n := len(l.frames); l.kind == event.KindLatest && n > l.head && !l.frames[n-1].position().Add(age).After(at) {
		l.restart(event.Latest(l.floor, l.frames[n-1].position()), h)
	}
}
