package loop

import (
	"fmt"
	"slices"
)

// round gives some connections their turns, step by step: first all sources are
// asked, then all is sent, then the sources are told. So the same code runs over
// and over, and what it works with is in the processor's caches: on a socket's
// way through the kernel, all of that would be pushed out each time.
type round struct {
	turns  []turn
	blocks [][]byte // of all turns
	warmth uint64   // the sum of what sources have read for nothing else
}

// turn is one connection's part in a round.
type turn struct {
	conn   *Conn
	blocks [][]byte // what Next has brought, then what the kernel did not take of it
	wrote  bool     // it has brought something
	then   Then
	err    error
}

// of gives the connections a round.
func (r *round) of(list []*Conn, l *Loop) {
	for _, c := range list {
		if c.source != nil {
			r.warmth += c.source.Warm()
		}
	}
	for left := list; len(left) > 0; {
		left = r.ask(left, l)
	}
	for i := range r.turns {
		if t := &r.turns[i]; t.wrote {
			t.blocks, _, t.err = l.sender.send(t.conn.fd, t.blocks)
		}
	}
	for left := r.turns; len(left) > 0; {
		left = r.tell(left, l)
	}
	clear(r.turns) // hold on to nothing
	clear(r.blocks)
	r.turns, r.blocks = r.turns[:0], r.blocks[:0]
}

// ask asks the connections' sources, and returns those that are left after one
// whose source has panicked.
func (r *round) ask(list []*Conn, l *Loop) (left []*Conn) {
	var c *Conn
	defer l.survive(&c)
	for left = list; len(left) > 0; {
		c, left = left[0], left[1:]
		switch {
		case c.source == nil: // it has ended meanwhile
		case c.rest != nil:
			c.off = true
		case c.id != (id{}) || l.join(c):
			c.idle.Store(true) // first: see the package comment
			from := len(r.blocks)
			blocks, then := c.source.Next(r.blocks, l.now)
			r.blocks = blocks
			r.turns = append(r.turns, turn{conn: c, blocks: blocks[from:], wrote: len(blocks) > from, then: then})
		}
	}
	return nil
}

// tell does what comes behind what was sent, and returns what ask does.
func (r *round) tell(list []turn, l *Loop) (left []turn) {
	var c *Conn
	defer l.survive(&c)
	for left = list; len(left) > 0; {
		t := &left[0]
		c, left = t.conn, left[1:]
		switch {
		case t.err != nil:
			l.end(c, t.err)
			continue
		case len(t.blocks) > 0:
			l.fill(c, &rest{blocks: slices.Clone(t.blocks), then: t.then, since: l.now})
			continue
		case t.wrote:
			c.source.Written(l.now)
		}
		l.follow(c, t.then)
	}
	return nil
}

// follow does what comes behind what was written.
func (l *Loop) follow(c *Conn, then Then) {
	switch {
	case then.End != nil:
		l.end(c, then.End)
	case then.More:
		c.Wake()
	default:
		l.wheel.place(c, then.At)
	}
}

// survive ends the connection whose source has panicked, so that one stream's
// fault is not every stream's.
func (l *Loop) survive(c **Conn) {
	if p := recover(); p != nil && (*c).source != nil {
		l.end(*c, fmt.Errorf("%w: %v", ErrFault, p))
	}
}
