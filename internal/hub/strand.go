package hub

import (
	"context"
	"slices"

	"tickertape/internal/event"
)

// strand is the history of one topic, as far as it was read and not merged yet.
type strand struct {
	topic  event.Topic
	frames []*frame
	upto   event.Position // it is read up to here
	begun  bool
}

// readStrand reads what comes next of one topic.
func (h *Hub) readStrand(ctx context.Context, l *log, g *gathering, s *strand) error {
	ctx, cancel := context.WithTimeout(ctx, h.options.ReadTime)
	defer cancel()
	o, n := h.options, len(g.strands)
	r := event.Range{Topic: s.topic, After: s.upto, Upto: g.upto,
		Limit: max(1, min(o.PageEvents, gatherPages*o.PageEvents/n)), Bytes: max(1, min(o.PageBytes, gatherPages*o.PageBytes/n))}
	if !s.begun {
		r.Last = g.last
	}
	answer, err := h.history(ctx, r)
	if err != nil {
		return err
	}
	now := h.mark.Load().clock
	if answer.Epoch != g.epoch || now.Epoch != g.epoch {
		return errRunning
	}
	if answer.Upto == r.After && !l.closeFor(g, s, &answer, now.Position) {
		return errRunning
	}
	s.begun, s.upto = true, answer.Upto
	s.frames = inOrder(s.topic, answer)
	return nil
}

// closeFor is close for one of a selector's topics: the log has what the topic got
// behind the end of the gathering, and the first of that tells what was before. A
// log that begins later by now tells nothing: the gathering has to go further.
func (l *log) closeFor(g *gathering, s *strand, page *event.Page, watermark event.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(page.Gaps) == 0 {
		return false // against the contract, as in close
	}
	begun := !l.floor.After(g.upto)
	if !begun && g.part == (part{}) {
		g.at = g.upto // nobody goes on from there
		return false
	}
	end := g.upto
	rest := behind(l.frames[l.head:], g.upto)
	i := slices.IndexFunc(rest, func(f *frame) bool { return f.event.Topic == s.topic })
	switch {
	case begun && i >= 0 && !rest[i].event.Prev.After(page.After):
		page.Gaps = nil
	case begun && i >= 0:
		end = event.Earliest(end, rest[i].event.Prev)
	case page.Gaps[0].Position.After(watermark):
		return false // the feed may still bring some of it
	}
	if len(page.Gaps) > 0 {
		page.Gaps[0].Position = end
	}
	page.Upto = g.upto
	return true
}
