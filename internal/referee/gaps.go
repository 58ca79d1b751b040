package referee

import (
	"fmt"

	"tickertape/internal/event"
)

// checkComplete looks for what the listener misses.
func (c *court) checkComplete(v *view) {
	c.again(v)
	for _, g := range v.gaps {
		v.told[g.Topic] = append(v.told[g.Topic], g)
	}
	for i, topic := range v.Topics {
		if v.had[i] != c.dueTo(v, topic) {
			c.checkMissing(v, topic)
		}
		if len(v.told[topic]) == 0 && c.allowed[topic] == MustLose {
			c.fault(&c.Lost, "%s: was told of no gap of %s", v.Name, topic)
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
		reason, told := speaksOf(v.told[topic], h)
		switch {
		case !told:
			c.fault(&c.Lost, "%s never came, and no gap was told", what)
		case h.kept && reason != event.BadCursor:
			c.fault(&c.Lost, "%s never came; a gap was told (%s), but the store has it", what, reason)
		case c.allowed[topic] == NoLoss:
			c.fault(&c.Other, "%s is gone, as a gap said (%s)", what, reason)
		}
	}
}

// speaksOf returns the reason that the first of the gaps gives that can speak
// of the event, and whether there is one.
func speaksOf(gaps []sightedGap, h *happening) (reason event.Reason, ok bool) {
	for i := range gaps {
		if gaps[i].speaksOf(h) {
			return gaps[i].Reason, true
		}
	}
	return "", false
}

// speaksOf reports whether the gap can speak of the event. What the store lost
// of one epoch is told in a later one, at a place that can be lower, and maybe
// behind events of that one; all else that is missing lies behind what the
// listener had, and before the gap's end.
func (g *sightedGap) speaksOf(h *happening) bool {
	at, end := h.place(), placeOf(g.resumed)
	if g.Reason == event.StoreLost || g.Reason == event.BadCursor {
		return at.epoch < end.epoch || at.epoch == end.epoch && !at.position.After(end.position)
	}
	behind := h.at == (place{}) || at.position.After(g.after.Position)
	return behind && !at.position.After(end.position)
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
	for i := range v.gaps {
		g := &v.gaps[i]
		end := placeOf(g.resumed)
		switch {
		case !c.justified(v, g):
			c.fault(&c.FalseGaps, "%s: a gap of %s (%s) up to %v where nothing is missing", v.Name, g.Topic, g.Reason, end)
		case c.allowed[g.Topic] == NoLoss:
			c.fault(&c.Other, "%s: a gap of %s (%s) up to %v where nothing may be lost", v.Name, g.Topic, g.Reason, end)
		}
		for _, s := range v.events[g.behind:] {
			if v.Topics[s.topic] != g.Topic {
				continue
			}
			// A gap's end bears the epoch in which it was told, not the
			// one in which it lies.
			if s.at.epoch <= end.epoch && !s.at.position.After(end.position) {
				c.fault(&c.Disordered, "%s: %d came behind a gap that reaches up to %v", v.Name, s.number, end)
			}
			break
		}
	}
}

// justified reports whether something that the gap may speak of is missing, or
// may be: to anybody, if the store lost it, and to the listener itself, if it
// went for another reason.
func (c *court) justified(v *view, g *sightedGap) bool {
	if g.Reason != event.StoreLost {
		for _, i := range v.missed {
			h := &c.events[i]
			if c.entries[h.number].topic == g.Topic && g.speaksOf(h) {
				return true
			}
		}
	}
	for _, i := range c.topics[g.Topic] {
		h := &c.events[i]
		unseen := c.allowed[g.Topic] != NoLoss && h.at == (place{}) && c.entries[h.number].outcome == unknown
		if (unseen || h.missed && g.Reason == event.StoreLost) && g.speaksOf(h) {
			return true
		}
	}
	return g.Reason == event.Expired && c.forgotten(g)
}

// forgotten reports whether the store may have forgotten the topic as a whole
// before the gap was told, so that nobody knew any more what there was: if for
// longer than the ledger's age nothing was stored around the gap's end.
func (c *court) forgotten(g *sightedGap) bool {
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
