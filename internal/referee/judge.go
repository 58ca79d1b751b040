package referee

import (
	"time"

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

// Judge returns what went wrong; nothing if:
//
//   - Every acknowledged publish behind a listener's start came to it, once. So
//     did every one that came to any other listener. What is missing lies
//     before the end of a gap, of a topic that may lose something, and did not
//     come to a listener that started when all was over.
//   - Nothing came twice, nor what was never published, nor what the publisher
//     was told is not stored, nor what was stored when its publisher had left it
//     for unknown. Only what the store lost before its publisher had
//     an answer may be stored again, in another epoch.
//   - What came rose by position, each with the same id for all listeners and
//     its publisher; so all have one order. What one publisher was acknowledged
//     has the order in which it was sent. Where something may be lost, that
//     holds for what the store has kept, and within each epoch; and to nobody
//     an epoch came behind a later one, or far below the one before.
//   - No gap was told where nothing is missing: to anybody if the store lost it,
//     else to the listener itself, or if its topic may have been forgotten. To
//     see what the store lost of what all had, one of the listeners has to start
//     when all is over.
//
// The listeners' streams and the publishers should have come to their end. It
// takes a time that grows with what came to the listeners, and for those who
// miss something with what was published to their topics.
func Judge(l *Ledger, listeners []*Listener, allowed Gaps) Verdict {
	c := newCourt(l, allowed)
	views := make([]*view, len(listeners))
	for i, x := range listeners {
		views[i] = x.view()
		c.hear(views[i])
	}
	c.checkPublishers()
	c.checkLeft()
	for _, v := range views {
		c.checkComplete(v)
	}
	for _, v := range views {
		c.checkGaps(v)
	}
	return c.Verdict
}

// court is one judgement.
type court struct {
	Verdict
	allowed Gaps
	lossy   bool // something may be lost
	age     time.Duration
	unaware bool
	entries []publish

	// events are the entries, each where it stands; behind them those places
	// where some of them stand too. more finds the latter.
	events []happening
	more   map[int32][]int32
	topics map[event.Topic][]int32
	began  map[uint32]event.Position // the first thing that anybody saw of each epoch

	// Who is being looked at: the events that bear its number are what it had.
	turn int32
	had  []int32
	dues map[stretch]int
}

// stretch is what of a topic lies behind a listener's start.
type stretch struct {
	topic event.Topic
	start place
}

// happening is a publish that became an event, or, without a place, one of
// which nobody knows.
type happening struct {
	number int32
	at     place
	floor  place // without a place: it stands behind this one, if anywhere
	missed bool  // by anybody
	kept   bool  // somebody who started when all was over had it
}

func newCourt(l *Ledger, allowed Gaps) *court {
	entries, odd := l.snapshot()
	c := &court{allowed: allowed, age: l.age, unaware: l.unaware, entries: entries, events: make([]happening, len(entries)),
		more: map[int32][]int32{}, topics: map[event.Topic][]int32{}, had: make([]int32, len(entries)), dues: map[stretch]int{}, began: map[uint32]event.Position{}}
	for _, loss := range allowed {
		c.lossy = c.lossy || loss != NoLoss
	}
	for _, o := range odd {
		c.Fault(&c.Other, "%s", o)
	}
	for i, e := range entries {
		c.events[i] = happening{number: int32(i), at: e.at}
		c.topics[e.topic] = append(c.topics[e.topic], int32(i))
	}
	return c
}

// after reports whether p stands behind q. Of two epochs the later one's
// positions may be lower where one primary did not know how far another went.
func (c *court) after(p, q place) bool {
	if c.lossy && p.epoch != q.epoch {
		return p.epoch > q.epoch
	}
	return p.position.After(q.position) && p.epoch >= q.epoch
}

// unheard is how far hubs may be behind each other: so far below what was before
// may positions of a new epoch begin.
const unheard = 10 * time.Second

// fell reports whether p is of a later epoch than q, and so far below it that
// who gave it out cannot have known of q.
func (c *court) fell(p, q place) bool {
	return !c.unaware && p.epoch > q.epoch && q.position.Time().Sub(p.position.Time()) > unheard
}

// measured is how exactly times of publishers and of the store compare.
const measured = 500 * time.Millisecond

// checkLeft looks for what was stored after its publisher had left it.
func (c *court) checkLeft() {
	for i := range c.events {
		h := &c.events[i]
		left := c.entries[h.number].left
		if at := h.at.position.Time(); h.at != (place{}) && !left.IsZero() && at.Sub(left) > measured {
			c.Fault(&c.Other, "publish %d was stored %v after its publisher was told that nobody knows", h.number, at.Sub(left))
		}
	}
}

// series is what one publisher was acknowledged: all of it that the store has
// kept, or all of it in one epoch.
type series struct {
	publisher int32
	epoch     uint32 // 0: all of them
}

// checkPublishers looks at the order of what each of them was acknowledged.
func (c *court) checkPublishers() {
	newest, last := map[int32]place{}, map[series]int32{}
	for n := range c.entries {
		e, i := &c.entries[n], c.latest(int32(n))
		h := &c.events[i]
		if h.at == (place{}) {
			c.events[n].floor = newest[e.publisher]
			continue
		}
		if e.outcome != acknowledged {
			continue
		}
		newest[e.publisher] = h.at
		// Of two servers that both take writes one gives way: where what it
		// acknowledged would stand among the rest, nobody can tell.
		all, life := series{publisher: e.publisher}, series{e.publisher, h.at.epoch}
		before, ok := last[life]
		if h.kept || !c.lossy {
			before, ok = last[all]
			last[all] = i
		}
		last[life] = i
		if ok && !c.after(h.at, c.events[before].at) {
			c.Fault(&c.Disordered, "publisher %d: %d stands at %v, not behind %d at %v", e.publisher, n, h.at, c.events[before].number, c.events[before].at)
		}
	}
}

// latest returns where a publish stands in the latest epoch.
func (c *court) latest(n int32) int32 {
	latest := n
	for _, i := range c.more[n] {
		if c.after(c.events[i].at, c.events[latest].at) {
			latest = i
		}
	}
	return latest
}
