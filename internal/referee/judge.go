package referee

import (
	"fmt"
	"slices"

	"tickertape/internal/event"
)

// Gaps says which topics may lose something, and which must. Others must not.
type Gaps map[event.Topic]Loss

// Loss says what a topic's listeners are to be told.
type Loss uint8

// NoLoss is what counts for topics that Gaps does not name.
const (
	NoLoss   Loss = iota
	MayLose       // a gap where something is missing, and nowhere else
	MustLose      // the same, and every listener has at least one
)

// Judge returns what went wrong, each in a line; nothing if:
//
//   - Every acknowledged publish behind a listener's start came to it, once. So
//     did every one that came to any other listener. What is missing lies
//     before the end of a gap, of a topic that may lose something.
//   - Nothing came twice, nor what was never published, nor what the publisher
//     was told is not stored.
//   - What came rose by position, each with the same id for all listeners and
//     its publisher; so all have one order. What one publisher was acknowledged
//     has the order in which it was sent.
//   - No gap was told where nothing is missing. To see what the store lost of
//     what all had, one of the listeners has to start when all is over.
//
// The listeners' streams and the publishers should have come to their end.
func Judge(l *Ledger, listeners []*Listener, allowed Gaps) []string {
	c := court{allowed: allowed}
	c.entries, c.faults = l.snapshot()
	c.at = make([]place, len(c.entries))
	for i, e := range c.entries {
		c.at[i] = e.at
	}
	c.checkPublishers()
	views := make([]*witnessed, len(listeners))
	for i, x := range listeners {
		views[i] = c.hear(x)
	}
	missed := make([]bool, len(c.entries)) // by anybody
	for _, v := range views {
		c.checkComplete(v, missed)
	}
	for _, v := range views {
		c.checkGaps(v, missed)
	}
	return c.faults
}

// court is one judgement.
type court struct {
	entries []publish
	at      []place // where each publish stands; zero if nobody knows
	allowed Gaps
	faults  []string
}

// witnessed is what a listener had: which publishes, and which gaps.
type witnessed struct {
	*Listener
	events []sighting
	gaps   []sightedGap
	had    []bool
}

func (c *court) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *court) checkPublishers() {
	last := map[int32]int{}
	for n, e := range c.entries {
		if e.outcome != acknowledged {
			continue
		}
		if before, ok := last[e.publisher]; ok && !e.at.position.After(c.at[before].position) {
			c.fault("publisher %d: %d stands at %v, not behind %d at %v", e.publisher, n, e.at.position, before, c.at[before].position)
		}
		last[e.publisher] = n
	}
}

// hear goes through what the listener saw, in order.
func (c *court) hear(x *Listener) *witnessed {
	v := &witnessed{Listener: x, had: make([]bool, len(c.entries))}
	var odd []string
	v.events, v.gaps, odd = x.snapshot()
	for _, o := range odd {
		c.fault("%s: %s", x.Name, o)
	}
	last := placeOf(x.start)
	for _, s := range v.events {
		if !s.at.position.After(last.position) || s.at.epoch < last.epoch {
			c.fault("%s: %d came at %v, behind %v", x.Name, s.number, s.at, last)
		}
		last = s.at
		e := &c.entries[s.number]
		switch {
		case e.topic != x.Topics[s.topic]:
			c.fault("%s: %d came of %s and was published to %s", x.Name, s.number, x.Topics[s.topic], e.topic)
		case v.had[s.number]:
			c.fault("%s: %d came twice", x.Name, s.number)
		case e.outcome == notStored:
			c.fault("%s: %d came, and its publisher was told that it is not stored", x.Name, s.number)
		}
		v.had[s.number] = true
		if c.at[s.number] == (place{}) {
			c.at[s.number] = s.at
		} else if c.at[s.number] != s.at {
			c.fault("%s: %d came at %v, and for others it stands at %v", x.Name, s.number, s.at, c.at[s.number])
		}
	}
	return v
}

// checkComplete looks for what the listener misses.
func (c *court) checkComplete(v *witnessed, missed []bool) {
	for n, e := range c.entries {
		p := c.at[n].position
		if v.had[n] || !slices.Contains(v.Topics, e.topic) || !p.After(v.start.Position) {
			continue
		}
		missed[n] = true
		told := slices.ContainsFunc(v.gaps, func(g sightedGap) bool {
			return g.Topic == e.topic && !p.After(g.resumed.Position)
		})
		if !told || c.allowed[e.topic] == NoLoss {
			c.fault("%s: %d of %s at %v (%v) never came; told of a gap: %t", v.Name, n, e.topic, p, e.outcome, told)
		}
	}
}

// checkGaps looks at what the listener was told of.
func (c *court) checkGaps(v *witnessed, missed []bool) {
	told := map[event.Topic]bool{}
	for _, g := range v.gaps {
		told[g.Topic] = true
		end := g.resumed.Position
		if c.allowed[g.Topic] == NoLoss || !c.justified(g, missed) {
			c.fault("%s: a gap of %s (%s) up to %v where nothing is missing", v.Name, g.Topic, g.Reason, end)
		}
		next := slices.IndexFunc(v.events[g.behind:], func(s sighting) bool { return v.Topics[s.topic] == g.Topic })
		if next >= 0 && !v.events[g.behind+next].at.position.After(end) {
			c.fault("%s: %d came behind a gap that reaches up to %v", v.Name, v.events[g.behind+next].number, end)
		}
	}
	for _, t := range v.Topics {
		if c.allowed[t] == MustLose && !told[t] {
			c.fault("%s: was told of no gap of %s", v.Name, t)
		}
	}
}

// justified reports whether something that the gap may speak of is missing to
// somebody, or may be.
func (c *court) justified(g sightedGap, missed []bool) bool {
	for n, e := range c.entries {
		if e.topic != g.Topic {
			continue
		}
		if missed[n] && !c.at[n].position.After(g.resumed.Position) || c.at[n] == (place{}) && e.outcome == unknown {
			return true
		}
	}
	return false
}
