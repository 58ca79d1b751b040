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

func newPage(l *log, from event.Page) *page {
	p := &page{log: l, epoch: from.Epoch, after: from.After, upto: from.Upto, made: time.Now(), bytes: emptyPage,
		frames: make([]*frame, 0, len(from.Events)+len(from.Gaps))}
	events := from.Events
	for _, g := range from.Gaps {
		for len(events) > 0 && g.Position.After(events[0].Position) {
			p.add(&frame{event: events[0]})
			events = events[1:]
		}
		p.add(holeFrame(l.topic, g))
	}
	for _, e := range events {
		p.add(&frame{event: e})
	}
	return p
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
// last is set, the last so many events up to opened.
type want struct {
	source *source
	after  event.Position
	last   int
	opened event.Position
}

// served reports whether the page is the one that is wanted.
func (w want) served(p *page) bool {
	if w.last > 0 {
		return p.last == w.last && p.opened == w.opened
	}
	return p.covers(w.after)
}
