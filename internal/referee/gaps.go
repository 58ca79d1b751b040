package referee

import (
	"fmt"

	"tickertape/internal/event"
)

// checkComplete looks for what the listener misses.
func (c *court) checkComplete(v *view) {
	c.again(v)
	for _, g := range v.gaps {
		if before, ok := v.told[g.Topic]; !ok || c.after(placeOf(g.resumed), placeOf(before.resumed)) {
			v.told[g.Topic] = g
		}
	}
	for i, topic := range v.Topics {
		if v.had[i] != c.dueTo(v, topic) {
			c.checkMissing(v, topic)
		}
		if _, told := v.told[topic]; !told && c.allowed[topic] == MustLose {
			c.fault(&c.Lost, "%s: was told of no gap of %s", v.Name, topic)
		}
	}
}

// checkMissing goes through what the listener misses of a topic.
func (c *court) checkMissing(v *view, topic event.Topic) {
	gap, told := v.told[topic]
	for _, i := range c.topics[topic] {
		if c.had[i] == c.turn || !c.due(i, v) {
			continue
		}
		h := &c.events[i]
		h.missed = true
		v.missed = append(v.missed, i)
		what := fmt.Sprintf("%s: %d of %s at %v (%v)", v.Name, h.number, topic, h.place(), c.entries[h.number].outcome)
		switch {
		case !told || c.after(h.place(), placeOf(gap.resumed)):
			c.fault(&c.Lost, "%s never came, and no gap was told", what)
		case h.kept && gap.Reason != event.BadCursor:
			c.fault(&c.Lost, "%s never came; a gap was told (%s), but the store has it", what, gap.Reason)
		case c.allowed[topic] == NoLoss:
			c.fault(&c.Other, "%s is gone, as a gap said (%s)", what, gap.Reason)
		}
	}
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
			if !c.after(s.at, end) {
				c.fault(&c.Disordered, "%s: %d came behind a gap that reaches up to %v", v.Name, s.number, end)
			}
			break
		}
	}
}

// justified reports whether something that the gap may speak of is missing, or
// may be: to anybody, if the store lost it, and to the listener itself, if it
// went for another reason.
func (c *court) justified(v *view, g sightedGap) bool {
	end := placeOf(g.resumed)
	if g.Reason != event.StoreLost {
		for _, i := range v.missed {
			h := &c.events[i]
			before := g.after != (event.Cursor{}) && !c.after(h.place(), placeOf(g.after))
			if c.entries[h.number].topic == g.Topic && !before && !c.after(h.place(), end) {
				return true
			}
		}
	}
	for _, i := range c.topics[g.Topic] {
		h := &c.events[i]
		unseen := c.allowed[g.Topic] != NoLoss && h.at == (place{}) && c.entries[h.number].outcome == unknown
		if (unseen || h.missed && g.Reason == event.StoreLost) && !c.after(h.place(), end) {
			return true
		}
	}
	return false
}
