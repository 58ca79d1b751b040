package referee

import (
	"fmt"

	"tickertape/internal/event"
)

// checkComplete looks for what the listener misses.
func (c *court) checkComplete(v *view) {
	c.again(v)
	for i, topic := range v.Topics {
		if v.had[i] != c.dueTo(v, topic) {
			c.checkMissing(v, topic)
		}
		if c.allowed[topic] == MustLose && !v.told(topic) {
			c.Fault(&c.Lost, "%s: was told of no gap of %s", v.Name, topic)
		}
	}
}

// checkMissing goes through what the listener misses of a topic.
func (c *court) checkMissing(v *view, topic event.Topic) {
	for _, i := range c.topics[topic] {
		if c.had[i] == c.turn || !c.due(i, v) {
			continue
		}
		h := &c.events[i]
		h.missed = true
		v.missed = append(v.missed, i)
		what := fmt.Sprintf("%s: %d of %s at %v (%v)", v.Name, h.number, topic, h.place(), c.entries[h.number].outcome)
		gap, told := c.toldOf(v, h)
		switch {
		case !told:
			c.Fault(&c.Lost, "%s never came, and no gap was told", what)
		case h.kept && gap.Reason != event.BadCursor && !c.tooOld(h, gap):
			c.Fault(&c.Lost, "%s never came; a gap was told (%s), but the store has it", what, gap.Reason)
		case c.allowed[topic] == NoLoss:
			c.Fault(&c.Other, "%s is gone, as a gap said (%s)", what, gap.Reason)
		}
	}
}

// toldOf returns a gap of which the listener was told that speaks of the event.
func (c *court) toldOf(v *view, h *happening) (gap sightedGap, told bool) {
	for _, g := range v.gaps {
		if g.Topic == c.entries[h.number].topic && c.speaksOf(g, h) {
			return g, true
		}
	}
	return sightedGap{}, false
}

// tooOld reports whether the event had been kept for as long as it is when the gap
// was told: whoever came earlier still had it, maybe.
func (c *court) tooOld(h *happening, gap sightedGap) bool {
	return gap.Reason == event.Expired && c.age > 0 && gap.at.Sub(h.place().position.Time()) > c.age
}

// speaksOf reports whether the gap can speak of the event, which the listener
// misses: it lies before the gap's end. What the store lost may be told behind
// events that are younger; all else that is missing lies behind what the
// listener had when it was told.
func (c *court) speaksOf(g sightedGap, h *happening) bool {
	if g.Reason == event.StoreLost || g.Reason == event.BadCursor {
		return c.reaches(g, h)
	}
	p := h.place().position
	return !p.After(g.resumed.Position) && (h.at == place{} || p.After(g.after.Position))
}

// reaches reports whether the event stands before the end of the gap; or does
// so no more because two servers took writes, and it is one that the former
// of them took when there was the latter, which said the gap:
//
//	epoch 1   … 7 8 9 10 11 12
//	epoch 2       8 9, and a gap at 10: whatever stood behind 7 is lost
func (c *court) reaches(g sightedGap, h *happening) bool {
	p := h.place()
	if !p.position.After(g.resumed.Position) {
		return true
	}
	for epoch, began := range c.began {
		if c.lossy && p.epoch < epoch && epoch <= g.resumed.Epoch.Number && p.position.After(began) {
			return true
		}
	}
	return false
}

// dueTo returns how many of a topic's events should have come to the listener.
func (c *court) dueTo(v *view, topic event.Topic) int {
	s := stretch{topic, placeOf(v.start)}
	count, ok := c.dues[s]
	if !ok {
		for _, i := range c.topics[topic] {
			if c.due(i, v) {
				count++
			}
		}
		c.dues[s] = count
	}
	return count
}

// due reports whether the event should have come to the listener.
func (c *court) due(i int32, v *view) bool {
	h := &c.events[i]
	if h.at == (place{}) {
		// Acknowledged without an id, and seen by nobody.
		return c.entries[h.number].outcome == acknowledged
	}
	return h.at.position.After(v.start.Position)
}

// place returns where the event stands, or behind what.
func (h *happening) place() place {
	if h.at == (place{}) {
		return h.floor
	}
	return h.at
}

// checkGaps looks at what the listener was told of.
func (c *court) checkGaps(v *view) {
	for _, g := range v.gaps {
		end := g.resumed.Position
		switch {
		case !c.justified(v, g):
			c.Fault(&c.FalseGaps, "%s: a gap of %s (%s) up to %v where nothing is missing", v.Name, g.Topic, g.Reason, end)
		case c.allowed[g.Topic] == NoLoss:
			c.Fault(&c.Other, "%s: a gap of %s (%s) up to %v where nothing may be lost", v.Name, g.Topic, g.Reason, end)
		}
		// Another connection may lead to a hub that still has some of it.
		for _, s := range v.events[g.behind:min(g.upto, len(v.events))] {
			if v.Topics[s.topic] != g.Topic {
				continue
			}
			if !c.behind(s.at, g.resumed) {
				c.Fault(&c.Disordered, "%s: %d of %s at %v came behind a gap that reaches from %v up to %v (%s)",
					v.Name, s.number, g.Topic, s.at, g.after.Position, end, g.Reason)
			}
			break
		}
	}
}

// behind reports whether an event stands behind the end of a gap. In the middle
// of a replay that bears the epoch in which the stream opened, otherwise its own.
func (c *court) behind(at place, end event.Cursor) bool {
	if end.Replaying() {
		return at.position.After(end.Position)
	}
	return c.after(at, placeOf(end))
}

// justified reports whether something that the gap may speak of is missing, or
// may be: to anybody, if the store lost it, and to the listener itself, if it
// went for another reason.
func (c *court) justified(v *view, g sightedGap) bool {
	if g.Reason != event.StoreLost {
		for _, i := range v.missed {
			h := &c.events[i]
			if c.entries[h.number].topic == g.Topic && c.speaksOf(g, h) {
				return true
			}
		}
	}
	for _, i := range c.topics[g.Topic] {
		h := &c.events[i]
		unseen := c.allowed[g.Topic] != NoLoss && h.at == (place{}) && c.entries[h.number].outcome == unknown
		if (unseen || h.missed && g.Reason == event.StoreLost) && c.speaksOf(g, h) {
			return true
		}
	}
	return g.Reason == event.Expired && c.forgotten(g)
}

// forgotten reports whether the store may have forgotten the topic as a whole
// before the gap was told, so that nobody knew any more what there was: if for
// longer than the ledger's age nothing was stored around the gap's end.
func (c *court) forgotten(g sightedGap) bool {
	var before, behind *happening
	for _, i := range c.topics[g.Topic] {
		h := &c.events[i]
		switch {
		case h.at == (place{}):
		case !h.at.position.After(g.resumed.Position):
			if before == nil || h.at.position.After(before.at.position) {
				before = h
			}
		case behind == nil || behind.at.position.After(h.at.position):
			behind = h
		}
	}
	if c.age == 0 || before == nil || behind == nil {
		return c.age > 0
	}
	answered := c.entries[behind.number].answered
	return answered.IsZero() || answered.Sub(c.entries[before.number].began) > c.age
}
