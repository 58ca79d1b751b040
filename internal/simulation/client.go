package simulation

import (
	"bytes"
	"encoding/json"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/sse"
)

// client is a browser: it listens to some topics, drops, and comes back with
// its cursor to any node. It belongs to the agenda, but for Wake.
type client struct {
	world  *world
	name   string
	dice   dice
	topics []event.Topic
	start  hub.Start // how it begins

	sub     *hub.Subscriber // nil: it is away
	at      *life
	epoch   event.Epoch // in which it took last
	due     bool        // it is about to take
	slow    time.Duration
	mouth   int    // bytes that it takes at once
	bytes   []byte // of a block that has not come whole
	stopped bool
	id      string // the last that it has seen
	view    *view  // what it has seen; nil until it has begun
}

// Wake implements hub.Waker.
func (c *client) Wake(s *hub.Subscriber) {
	c.world.agenda.in(0, c.name, func() {
		if c.sub == s {
			c.plan()
		}
	})
}

// plan has the client take in a while.
func (c *client) plan() {
	if c.due {
		return
	}
	c.due = true
	wait := c.dice.duration(c.slow, 1)
	c.world.agenda.in(wait, c.name, func() {
		c.due = false
		c.take()
	})
}

// connect opens a stream on a node, and reports whether it could.
func (c *client) connect(l *life) bool {
	from := hub.Start{Cursor: c.id}
	if c.view == nil {
		from = c.start
	}
	form := hub.Plain
	if c.dice.below(4, 2) == 0 {
		form = hub.Envelope
	}
	sub, err := l.hub.Subscribe(hub.Request{Topics: c.topics, From: from, Form: form}, c)
	if err != nil {
		return false
	}
	c.sub, c.at = sub, l
	opening := sub.Opening()
	c.note("opens at node %d with %s", l.node.number, said(opening.ID))
	if c.view == nil {
		c.id = opening.ID
		c.view = newView(c, opening.ID)
	} else if !opening.Resumed || opening.ID != c.id {
		c.fault("came back with %s, and the stream began with %+v", said(c.id), opening)
	}
	c.view.connected()
	c.plan()
	return true
}

// hangUp breaks the connection.
func (c *client) hangUp() {
	if c.sub != nil {
		c.note("is gone")
		c.sub.Close()
		c.sub, c.at, c.bytes = nil, nil, nil
	}
}

// take takes what there is.
func (c *client) take() {
	if c.sub == nil || c.stopped {
		return
	}
	blocks, state, epoch := c.at.bus.take(c.sub, c.mouth)
	c.epoch = epoch
	keep := len(blocks)
	cut := keep > 0 && c.dice.below(c.world.cuts, 3) == 0 && !c.world.healed
	if cut {
		keep = c.dice.below(keep+1, 4)
	}
	for _, b := range blocks[:keep] {
		c.bytes = append(c.bytes, b...)
	}
	for {
		block, rest, whole := bytes.Cut(c.bytes, []byte("\n\n"))
		if !whole {
			break
		}
		c.bytes = rest
		c.read(append(block, "\n\n"...))
	}
	c.view.took()
	switch {
	case cut:
		c.hangUp()
	case state == hub.More:
		c.plan()
	case state == hub.Idle:
		c.view.complete(c.sub.Cursor(), c.dice.below(3, 5) == 0)
	}
}

// read reads one block.
func (c *client) read(block []byte) {
	e, err := sse.NewDecoder(bytes.NewReader(block), 1<<20).Next()
	if err != nil {
		c.fault("cannot read %q: %v", block, err)
		return
	}
	if e.Name == hub.GapEvent {
		var n hub.GapNotice
		if err := json.Unmarshal([]byte(e.Data), &n); err != nil {
			c.fault("cannot read the gap %q: %v", e.Data, err)
			return
		}
		c.note("gap of %s (%s) up to %s, id %s", n.Topic, n.Reason, said(n.ResumedAt), said(e.ID))
		c.view.gap(n, e.ID)
	} else {
		text := e.Data
		if len(text) > 0 && text[0] == '{' {
			var v event.Envelope
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				c.fault("cannot read the envelope %q: %v", text, err)
				return
			}
			data, err := v.Text()
			if err != nil {
				c.fault("cannot read the envelope %q: %v", text, err)
			}
			text = data.Text
		}
		c.note("event %s, id %s", text, said(e.ID))
		c.view.event(c.world.number(text), e.ID)
	}
	if e.ID != "" {
		c.id = e.ID
	}
}

func (c *client) note(format string, args ...any) {
	c.world.note(c.name+" "+format, args...)
}

func (c *client) fault(format string, args ...any) {
	c.world.fault(c.name+" "+format, args...)
}
