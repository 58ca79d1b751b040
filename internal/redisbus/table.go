package redisbus

import (
	"slices"

	"tickertape/internal/event"
)

// table reports whether the topic is a table that is alive. Its log has the newest
// entry of each key, deleted ones too. All that was superseded is gone, and no
// gap: what is missing is told at marks only, where a loss is told, and at the last
// deletion that was dropped. Once the whole table has expired, it is like any log
// that did.
func (p piece) table() bool { return p.state.kind == event.KindLatest && !p.empty }

// marks notes the gaps that the page of a table has behind what it is complete
// to, up to upto.
func (c *collector) marks(p piece, upto event.Position) {
	s := p.state
	marks := append(slices.Clone(s.losses), s.gone)
	slices.SortFunc(marks, event.Position.Compare)
	for _, m := range marks {
		if m.After(c.complete) && !m.After(upto) {
			c.page.Gaps = append(c.page.Gaps, c.mark(s, m))
			c.complete = m
		}
	}
}

// beyond tells of deletions that were dropped, the last of them behind the range:
// others may have stood in it, anywhere, so the gap stands as late as it can. It
// comes again at its own place for whoever reads on.
func (c *collector) beyond(p piece) {
	gap := c.mark(p.state, p.state.gone)
	if !gap.Position.After(c.wanted.Upto) {
		return
	}
	gap.Position = c.wanted.Upto
	for i := len(c.page.Events) - 1; i >= 0 && c.page.Events[i].Position == gap.Position; i-- {
		gap.Position = gap.Position.Previous()
	}
	last := c.page.After
	if n := len(c.page.Gaps); n > 0 {
		last = c.page.Gaps[n-1].Position
	}
	if gap.Position.After(last) {
		c.page.Gaps = append(c.page.Gaps, gap)
	}
}

// mark words one of them.
func (c *collector) mark(s state, m event.Position) event.Gap {
	switch {
	case m != s.gone:
		return event.Gap{Position: m, Since: m, Reason: event.StoreLost}
	case s.trimmed.IsZero():
		return event.Gap{Position: m, Since: m.Add(c.bus.options.Retention.Age), Reason: event.Expired}
	}
	return event.Gap{Position: m, Since: s.trimmed, Reason: event.Trimmed}
}
