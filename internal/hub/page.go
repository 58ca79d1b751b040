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
	holes  int // among the frames

	part  part     // of a selector's topics that it is complete for
	ahead []*frame // holes that begin in the page, and end behind it

	// Set if the page begins with the last so many events up to opened.
	last   int
	opened event.Position
}

// emptyPage is about what a page takes besides its frames.
const emptyPage = 256

// fullPage is about what a page with so many events and so much data takes.
func fullPage(events, bytes int) int { return emptyPage + events*new(frame).size() + 2*bytes }

// newPages makes pages of the frames that a read brought. Each ends once it has so many
// events or so much data, for a reader holds on to all of the page that it
// reads from. Each begins where the one before ends, so together they are
// complete as the answer is. What stands at one position is not parted.
func newPages(l *log, from event.Page, frames []*frame, events, bytes int) []*page {
	p := newPage(l, from.Epoch, from.After)
	pages := []*page{p}
	n, size := 0, 0
	for _, f := range frames {
		if last := len(p.frames) - 1; (n >= events || size >= bytes) && f.position().After(p.frames[last].position()) {
			p.upto = p.frames[last].position()
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
	p.upto = from.Upto
	warn(pages, frames)
	return pages
}

// warn has the pages know of the holes that begin in them and end behind them.
func warn(pages []*page, frames []*frame) {
	for _, f := range frames {
		if !f.hole() {
			continue
		}
		for _, p := range pages {
			if f.position().After(p.upto) && p.upto.After(f.event.Prev) {
				p.ahead = append(p.ahead, f)
			}
		}
	}
}

// inOrder returns the events and holes of a topic's page as frames. A hole's Prev
// is where it begins; in that of a table, events may still stand.
func inOrder(t event.Topic, from event.Page) []*frame {
	frames := make([]*frame, 0, len(from.Events)+len(from.Gaps))
	at, rest := from.After, from.Events
	for _, g := range from.Gaps {
		for len(rest) > 0 && g.Position.After(rest[0].Position) {
			frames = append(frames, &frame{event: rest[0]})
			at, rest = rest[0].Position, rest[1:]
		}
		hole := holeFrame(t, g)
		if hole.event.Prev = at; len(from.Events) > 0 && from.Events[0].Kind == event.KindLatest {
			hole.event.Prev = from.After
		}
		frames = append(frames, hole)
		at = g.Position
	}
	for _, e := range rest {
		frames = append(frames, &frame{event: e})
	}
	return frames
}

func newPage(l *log, epoch event.Epoch, after event.Position) *page {
	return &page{log: l, epoch: epoch, after: after, made: time.Now(), bytes: emptyPage}
}

func (p *page) add(f *frame) {
	if f.hole() {
		p.holes++
	}
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
	part   part
	last   int
	opened event.Position
}

// served reports whether the page is the one that is wanted.
func (w want) served(p *page) bool {
	if w.last > 0 {
		return p.epoch == w.epoch && p.last == w.last && p.opened == w.opened
	}
	return p.epoch == w.epoch && p.part == w.part && p.covers(w.after)
}
