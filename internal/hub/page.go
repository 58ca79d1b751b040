package hub

import (
	"time"

	"tickertape/internal/event"
)

// page is a piece of a topic's history as frames, holes among them. It is
// complete behind after, up to and including upto.
type page struct {
	log    *log
	epoch  event.Epoch // it says nothing in another one
	after  event.Position
	upto   event.Position
	frames []*frame
	made   time.Time
	bytes  int

	// Set if the page begins with the last so many events up to opened.
	last   int
	opened event.Position
}

// emptyPage is about what a page takes besides its frames.
const emptyPage = 256

// fullPage is about what a page with so many events and so much data takes.
func fullPage(events, bytes int) int { return emptyPage + events*new(frame).size() + 2*bytes }

// newPages makes pages of what a read brought. Each ends once it has so many
// events or so much data, for a reader holds on to all of the page that it
// reads from. Each begins where the one before ends, so together they are
// complete as the answer is.
func newPages(l *log, from event.Page, events, bytes int) []*page {
	p := newPage(l, from.Epoch, from.After)
	pages := []*page{p}
	n, size := 0, 0
	add := func(f *frame) {
		if n >= events || size >= bytes {
			p.upto = p.frames[len(p.frames)-1].position()
			p = newPage(l, from.Epoch, p.upto)
			pages = append(pages, p)
			n, size = 0, 0
		}
		p.add(f)
		if !f.hole() {
			n++
			size += len(f.event.Data.Text)
		}
	}
	rest := from.Events
	for _, g := range from.Gaps {
		for len(rest) > 0 && g.Position.After(rest[0].Position) {
			add(&frame{event: rest[0]})
			rest = rest[1:]
		}
		add(holeFrame(l.topic, g))
	}
	for _, e := range rest {
		add(&frame{event: e})
	}
	p.upto = from.Upto
	return pages
}

func newPage(l *log, epoch event.Epoch, after event.Position) *page {
	return &page{log: l, epoch: epoch, after: after, made: time.Now(), bytes: emptyPage}
}

func (p *page) add(f *frame) {
	p.frames = append(p.frames, f)
	p.bytes += f.size()
}

// covers reports whether the page tells what comes next behind p.
func (p *page) covers(after event.Position) bool {
	return !p.after.After(after) && p.upto.After(after)
}

// want is what a subscriber's source waits for: the page behind after, or, if
// last is set, the last so many events up to opened. Both are places of an
// epoch, and mean nothing in another one.
type want struct {
	source *source
	epoch  event.Epoch
	after  event.Position
	last   int
	opened event.Position
}

// served reports whether the page is the one that is wanted.
func (w want) served(p *page) bool {
	if w.last > 0 {
		return p.epoch == w.epoch && p.last == w.last && p.opened == w.opened
	}
	return p.epoch == w.epoch && p.covers(w.after)
}
