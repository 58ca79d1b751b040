package hub_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/sse"
)

// read reads the whole blocks that have arrived.
func (c *client) read(t *rapid.T) {
	for {
		block, rest, whole := bytes.Cut(c.bytes, []byte("\n\n"))
		if !whole {
			return
		}
		c.bytes = rest
		d := sse.NewDecoder(bytes.NewReader(append(block, "\n\n"...)), 1<<20)
		got, err := d.Next()
		if err != nil {
			t.Fatalf("block %q: %v", block, err)
		}
		c.note(t, "%s %s %q", got.Name, got.ID, got.Data)
		if got.Name == hub.GapEvent {
			c.gap(t, got)
		} else {
			c.event(t, got)
		}
		if got.ID != "" {
			c.id = got.ID
		}
	}
}

func (c *client) event(t *rapid.T, got sse.Event) {
	id := c.parse(t, got.ID)
	topic, i := c.w.find(id.Position)
	c.check(t, i >= 0, "nothing was published at %v", id.Position)
	e := c.w.events[topic][i]
	text := got.Data
	if strings.HasPrefix(text, "{") {
		var v event.Envelope
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		data, err := v.Text()
		own := c.parse(t, v.ID)
		c.check(t, err == nil && v.Topic == topic && own.Position == e.Position && !own.Replaying(), "the envelope of %v is %s", e, text)
		text = data.Text
	}
	c.check(t, text == e.Data.Text, "the event at %v of %s is %q, published was %q", e.Position, topic, text, e.Data.Text)
	c.check(t, c.reason == "" && e.Position.After(c.at), "%v of %s stands behind %v (gaps to come: %d)", e.Position, topic, c.at, c.gaps)
	c.passed(t, e.Position)
	c.at = e.Position
}

func (c *client) gap(t *rapid.T, got sse.Event) {
	var n hub.GapNotice
	if err := json.Unmarshal([]byte(got.Data), &n); err != nil {
		t.Fatalf("gap %q: %v", got.Data, err)
	}
	p := c.parse(t, n.ResumedAt).Position
	if c.reason != "" {
		if c.reason == event.BadCursor && c.gaps == len(c.topics) && p.After(c.at) {
			c.at = p // the node was further by then, or read the clock
		}
		c.check(t, n.Reason == c.reason && p == c.at, "gap %s, expected %s at %v", got.Data, c.reason, c.at)
		if c.gaps--; c.gaps == 0 {
			c.reason = ""
			c.check(t, got.ID == n.ResumedAt, "the last gap has the id %q", got.ID)
		} else {
			c.check(t, got.ID == "", "a gap that others follow moves the cursor")
		}
		return
	}
	c.check(t, p.After(c.at), "gap %s stands before %v", got.Data, c.at)
	lost := n.Reason != event.Trimmed && c.w.forgotten(c.at)
	if n.Reason == event.StoreLost {
		lost = c.w.mark(n.Topic, p)
		c.check(t, lost, "gap %s at %v, but the losses are %v; told at %v", got.Data, p, c.w.losses, c.w.marks[n.Topic])
	}
	for i, e := range c.w.events[n.Topic] {
		if e.Position.After(c.at) && !e.Position.After(p) {
			c.check(t, c.w.lost(n.Topic, i), "gap %s up to %v, but %v is there", got.Data, p, e.Position)
			lost = true
		}
	}
	// If what follows a loss was trimmed as well, the page may not know how
	// much of all that it has, and say so of the loss too.
	lost = lost || c.w.mark(n.Topic, p)
	c.check(t, lost, "gap %s from %v to %v, but nothing is missing", got.Data, c.at, p)
	c.cover[n.Topic] = p
	c.told[n.Topic] = event.Latest(p, c.told[n.Topic])
	if got.ID != "" {
		c.passed(t, p)
		c.at = p
	}
}

// passed checks that nothing was passed over on the way to position p.
func (c *client) passed(t *rapid.T, p event.Position) {
	for _, topic := range c.topics {
		for i, e := range c.w.events[topic] {
			if e.Position.After(c.at) && p.After(e.Position) && e.Position.After(c.cover[topic]) && !c.excused(topic, i) {
				c.check(t, false, "%v of %s is missing between %v and %v, and no gap says so (lost: %v)", e.Position, topic, c.at, p, c.w.lost(topic, i))
			}
		}
	}
}

// complete checks that nothing is missing up to now.
func (c *client) complete(t *rapid.T, state hub.State) {
	c.check(t, state == hub.Idle, "it waits in vain, in state %d at %v", state, c.at)
	c.check(t, c.reason == "", "%d gaps have not come", c.gaps)
	c.passed(t, event.Position{MS: 1 << 47})
	if l := c.owed(); l != nil {
		c.check(t, false, "it was not told that %+v is lost since %v", l.Event, l.began)
	}
	if cursor := c.parse(t, c.sub.Cursor()); c.at.After(cursor.Position) {
		t.Fatalf("the cursor %v stands before %v", cursor, c.at)
	}
}

func (c *client) parse(t *rapid.T, id string) event.Cursor {
	cursor, err := event.ParseCursor(id)
	if err != nil {
		t.Fatalf("id %q: %v", id, err)
	}
	return cursor
}

func (c *client) check(t *rapid.T, ok bool, format string, args ...any) {
	if !ok {
		t.Fatalf("a client of %v that saw:\n%s\n%s\n%s", c.topics, strings.Join(c.seen, "\n"), c.w.tell(c.topics), fmt.Sprintf(format, args...))
	}
}
