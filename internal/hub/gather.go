package hub

import (
	"context"
	"math"
	"slices"
	"time"

	"tickertape/internal/event"
)

// part says what of a selector's topics is asked for, up to opened; all of it,
// if it is zero.
type part struct {
	opened event.Position
	last   int  // the last so many events of each topic
	tables bool // tables only
}

// part returns what the stream asks for, behind after, of the topics of its
// selectors.
func (s *Subscriber) part(after event.Position) (p part) {
	if c := s.cursor; c.Opened.After(after) && (c.Last > 0 || c.Tables) {
		p = part{opened: c.Opened, last: c.Last, tables: c.Tables}
	}
	return p
}

// gathering makes pages of what a selector's topics have: the merge of their
// histories, which goes on as somebody wants it.
type gathering struct {
	part
	epoch   event.Epoch
	at      event.Position // merged up to here
	upto    event.Position // the end of the last page
	strands []*strand
	events  int
	over    bool // what is left is too much
	used    time.Time
}

// A selector's log keeps a few gatherings, for those who come back from several
// places. One round of a gathering brings about so many pages, a reader's turn
// reads a few topics only.
const (
	maxGatherings = 4
	gatherPages   = 8
	gatherTopics  = 16
)

// gather takes a turn for those who want something of the selector's topics.
func (h *Hub) gather(ctx context.Context, l *log) error {
	now := h.mark.Load().clock
	w, ok := l.nextWant(now.Epoch)
	if !ok {
		return h.gathered(l, nil)
	}
	g, err := h.gathering(ctx, l, w, now)
	if err != nil {
		return err
	}
	whole, err := h.spin(ctx, l, g)
	if err != nil || !whole {
		l.keep(g)
		if err == nil {
			h.reads.push(task{log: l}) // others first
		}
		return err
	}
	pages := g.pages(l, h.options)
	l.keep(g)
	return h.gathered(l, pages)
}

// gathered hands out what was made, and sees to it that the rest is made too.
func (h *Hub) gathered(l *log, pages []*page) error {
	for _, p := range l.deliver(pages, h) {
		h.reads.keep(p, h.options.PagesBytes)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queued = len(l.wants) > 0; l.queued {
		h.reads.push(task{log: l})
	}
	return nil
}

// nextWant returns a want of the epoch, if there is one: by turns that which is
// farthest behind, for what is made for it is of use to others, and any, for it
// may have far to go.
func (l *log) nextWant(epoch event.Epoch) (next want, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.selection.turns++
	for _, w := range l.wants {
		if w.epoch == epoch && (!ok || next.after.After(w.after)) {
			next, ok = w, true
			if l.selection.turns%2 == 0 {
				break
			}
		}
	}
	return next, ok
}

// gathering returns the one that goes on where it is wanted.
func (h *Hub) gathering(ctx context.Context, l *log, w want, now event.Clock) (*gathering, error) {
	l.mu.Lock()
	for _, g := range l.selection.gather {
		if g.part == w.part && g.at == w.after && g.epoch == now.Epoch {
			l.mu.Unlock()
			return g, nil
		}
	}
	g := &gathering{part: w.part, epoch: now.Epoch, at: w.after, upto: l.floor}
	l.mu.Unlock()
	if w.part != (part{}) {
		g.upto = w.part.opened
	}
	return g, h.list(ctx, l.selection, g)
}

// keep keeps the gathering for those who want the next of it.
func (l *log) keep(g *gathering) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.selection
	x.gather = slices.DeleteFunc(x.gather, func(old *gathering) bool { return old == g })
	if g.used = time.Now(); g.upto.After(g.at) {
		x.gather = append(x.gather, g)
	}
	if len(x.gather) > maxGatherings {
		x.gather = slices.Delete(x.gather, 0, 1)
	}
}

// expire lets go of the gatherings that nobody has wanted since the given time.
func (l *log) expire(before time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.selection.gather = slices.DeleteFunc(l.selection.gather, func(g *gathering) bool { return g.used.Before(before) })
}

// manyNames is how many more topics may be looked at than read, for the tables
// among them.
const manyNames = 10

// list finds the topics to be read.
func (h *Hub) list(ctx context.Context, x *selection, g *gathering) error {
	ctx, cancel := context.WithTimeout(ctx, h.options.ReadTime)
	defer cancel()
	limit := h.options.ResumeTopics + 1
	if g.tables {
		limit *= manyNames
	}
	active, err := h.bus.Active(ctx, x.match, g.at, limit)
	h.counts.read(err)
	if err != nil {
		return err
	}
	if active.Epoch != g.epoch {
		return errRunning
	}
	for _, t := range active.Topics {
		kind := x.rules.Of(t).Kind
		if kind != event.KindEphemeral && (!g.tables || kind == event.KindLatest) {
			g.strands = append(g.strands, &strand{topic: t, upto: g.at})
		}
	}
	if len(active.Topics) == limit || len(g.strands) > h.options.ResumeTopics {
		g.overrun()
		return nil
	}
	if forgotten := event.Earliest(active.Forgotten, g.upto); forgotten.After(g.at) {
		hole := holeFrame(event.Topic(x.match.String()), event.Gap{Position: forgotten, Since: active.Forgotten.Add(h.options.Age), Reason: event.Expired})
		hole.event.Prev = g.at
		g.strands = append(g.strands, &strand{frames: []*frame{hole}, upto: g.upto})
	}
	return nil
}

// overrun gives up: what is left is too much.
func (g *gathering) overrun() { g.over, g.strands = true, nil }

// never is a moment behind every opening: what is there, but not read, is
// missing for new streams too.
func never() event.Position { return event.Position{MS: math.MaxUint64} }

// spin reads on for the strands that are used up, and reports whether all of them
// have something or are at their end.
func (h *Hub) spin(ctx context.Context, l *log, g *gathering) (whole bool, err error) {
	if g.events >= h.options.ResumeEvents {
		g.overrun()
	}
	turn := 0
	for _, s := range g.strands {
		if len(s.frames) > 0 || s.upto == g.upto {
			continue
		}
		if turn++; turn > gatherTopics {
			return false, nil
		}
		if err := h.readStrand(ctx, l, g, s); err != nil {
			return false, err
		}
	}
	return true, nil
}

// pages merges the strands as far as all of them are read, as pages.
func (g *gathering) pages(l *log, o Options) []*page {
	upto := g.upto
	for _, s := range g.strands {
		upto = event.Earliest(upto, s.upto)
	}
	var frames, later []*frame
	for _, s := range g.strands {
		rest := behind(s.frames, upto)
		frames = append(frames, s.frames[:len(s.frames)-len(rest)]...)
		s.frames = rest
		later = append(later, rest...)
	}
	slices.SortStableFunc(frames, func(a, b *frame) int { return a.position().Compare(b.position()) })
	if room := o.ResumeEvents - g.events; len(frames) > room {
		upto = frames[max(0, room-1)].position()
		frames = frames[:len(frames)-len(behind(frames, upto))]
	}
	if g.over {
		hole := holeFrame(l.topic, event.Gap{Position: g.upto, Since: never(), Reason: event.Overrun})
		hole.event.Prev = g.at
		frames = []*frame{hole}
	}
	g.events += len(frames)
	pages := newPages(l, event.Page{Epoch: g.epoch, After: g.at, Upto: upto}, frames, o.PageEvents, o.PageBytes)
	for _, p := range pages {
		p.part = g.part
	}
	warn(pages, later)
	g.at = upto
	return pages
}
