package hub_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tickertape/internal/event"
)

// lostAt reports whether the i-th event of a topic was gone at position p.
func (w *world) lostAt(p event.Position, topic event.Topic, i int) bool {
	list := w.events[topic]
	left := 0
	for _, e := range list[i:] {
		if !e.Position.After(p) {
			left++
		}
	}
	return left > w.limits.Messages || !list[i].Position.Add(w.limits.Age).After(p)
}

// lost reports whether the store may let go of the i-th event of a topic.
func (w *world) lost(topic event.Topic, i int) bool {
	list := w.events[topic]
	return len(list)-i > w.limits.Messages || w.old(list[i].Position)
}

func (w *world) old(p event.Position) bool {
	return !p.After(event.Before(time.Now().Add(-w.limits.Age)))
}

// forgotten reports whether the forgotten position may lie behind p: a topic
// that went on behind p has once expired as a whole.
func (w *world) forgotten(p event.Position) bool {
	for _, list := range w.events {
		for i, e := range list {
			if e.Position.After(p) && w.old(e.Position) && (i == len(list)-1 || list[i+1].Position.Time().Sub(e.Position.Time()) >= w.limits.Age) {
				return true
			}
		}
	}
	return false
}

// mark takes in that a loss of the topic was told at p, and reports whether
// there can be one: in an epoch, a topic has one for each epoch before of
// which it lost something.
func (w *world) mark(topic event.Topic, p event.Position) bool {
	if w.marks[topic] == nil {
		w.marks[topic] = map[event.Position]struct{}{}
	}
	w.marks[topic][p] = struct{}{}
	epochs := map[event.Epoch]struct{}{}
	for _, l := range w.losses {
		if l.Topic == topic && p.After(l.began) {
			epochs[l.Epoch] = struct{}{}
		}
	}
	marks := 0
	for q := range w.marks[topic] {
		if !q.After(p) {
			marks++ // others may have seen later ones
		}
	}
	return marks <= len(epochs)
}

// tell words what the model knows of the topics.
func (w *world) tell(topics []event.Topic) string {
	var text strings.Builder
	fmt.Fprintf(&text, "The store keeps %d of each topic, is in epoch %d, which began at %v, and knows %v.\n", w.limits.Messages, w.epoch.Number, w.began, w.ended)
	for _, topic := range topics {
		fmt.Fprintf(&text, "Of %s it has", topic)
		for _, e := range w.events[topic] {
			fmt.Fprintf(&text, " %v", e.Position)
		}
		text.WriteString(", and has lost")
		for _, l := range w.losses {
			if l.Topic == topic {
				fmt.Fprintf(&text, " %v of epoch %d (at %v)", l.Position, l.Epoch.Number, l.began)
			}
		}
		fmt.Fprintf(&text, "; told at %v\n", slices.Collect(maps.Keys(w.marks[topic])))
	}
	return text.String()
}

// find returns topic and number of the event at p, or -1.
func (w *world) find(p event.Position) (event.Topic, int) {
	for topic, list := range w.events {
		for i, e := range list {
			if e.Position == p {
				return topic, i
			}
		}
	}
	return "", -1
}

// excused reports whether an opening replay may leave the i-th event out: it
// was gone when the stream opened, or not among the last ones asked for.
func (c *client) excused(topic event.Topic, i int) bool {
	list := c.w.events[topic]
	if list[i].Position.After(c.opened) {
		return false
	}
	return c.w.lostAt(c.opened, topic, i) || !list[i].Position.After(c.skipped[topic]) || c.beforeLast(topic, i)
}

// beforeLast reports whether the i-th event of the topic is none of the last
// ones that the client asked for.
func (c *client) beforeLast(topic event.Topic, i int) bool {
	later := 0
	for _, e := range c.w.events[topic][i+1:] {
		if !e.Position.After(c.opened) {
			later++
		}
	}
	return c.last > 0 && later >= c.last
}

// skip notes which events the replay leaves out as things stand: if the store
// loses some of the last ones, those before them are not asked for instead.
func (c *client) skip() {
	c.skipped = map[event.Topic]event.Position{}
	for _, topic := range c.topics {
		for i, e := range c.w.events[topic] {
			if !e.Position.After(c.opened) && c.beforeLast(topic, i) {
				c.skipped[topic] = e.Position
			}
		}
	}
}

// owed returns a loss that the client has to be told of and was not: one that
// came after all it knows, and that a node can prove. Nil: none.
func (c *client) owed() *lostEvent {
	for i, l := range c.w.losses {
		since, listens := c.since[l.Topic]
		if listens && l.began.After(since) && l.began.After(c.told[l.Topic]) && c.w.store.alive(l.life) {
			return &c.w.losses[i]
		}
	}
	return nil
}
