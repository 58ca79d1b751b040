package simulation

import (
	"context"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// link is a node's way to the store.
type link struct {
	agenda *agenda
	name   string // of the node
	dice   dice

	mu          sync.Mutex // guards what follows, which Dial and Write see too
	route       *store     // where new connections lead; nil: they are refused
	delay       time.Duration
	connections []*connection

	stalledUp, stalledDown bool // what arrives is held back; the agenda's own
}

// usual is about how long bytes are under way in one direction.
const usual = 300 * time.Microsecond

func newLink(a *agenda, name string, d dice) *link {
	return &link{agenda: a, name: name, dice: d, delay: usual}
}

// Dial connects to where the link leads. It never waits: the bytes do.
func (l *link) Dial(context.Context, string, string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.route == nil {
		return nil, &net.OpError{Op: "dial", Net: "simulation", Err: syscall.ECONNREFUSED}
	}
	c := newConnection(l, l.route)
	l.connections = append(l.connections, c)
	return c, nil
}

// send has bytes arrive in a while.
func (l *link) send(d *direction, b []byte, arrive func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := string(b)
	what := purpose(text)
	d.sent = mix(d.sent, what)
	if d.lost {
		return
	}
	at := time.Now().Add(l.dice.duration(2*l.delay, what))
	if !at.After(d.last) {
		at = d.last.Add(1)
	}
	d.last = at
	l.agenda.at(at, l.name+": "+text, arrive)
}

// arriveUp takes in bytes at the store's end; none: the node's end was closed.
func (l *link) arriveUp(c *connection, b []byte) {
	switch {
	case c.gone:
	case l.stalledUp || len(c.up.held) > 0:
		c.up.held = append(c.up.held, b)
	default:
		c.store.receive(c, b)
	}
}

// arriveDown takes in bytes at the node's end.
func (l *link) arriveDown(c *connection, b []byte) {
	switch {
	case c.gone:
	case l.stalledDown || len(c.down.held) > 0:
		c.down.held = append(c.down.held, b)
	default:
		c.put(b, nil)
	}
}

// release lets go what was held back.
func (l *link) release() {
	l.stalledUp, l.stalledDown = false, false
	l.each(func(c *connection) {
		up, down := c.up.held, c.down.held
		c.up.held, c.down.held = nil, nil
		for _, b := range up {
			l.arriveUp(c, b)
		}
		for _, b := range down {
			l.arriveDown(c, b)
		}
	})
}

// all returns the link's connections, in the order in which they were made.
func (l *link) all() []*connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(l.connections), (*connection).compare)
}

// each does something to each of the link's connections, a nanosecond after the
// other: who notices at one moment does what it does next in any order. Between
// those that nothing tells apart yet there is no such order: what is drawn for
// one of them, by the dice, is drawn for all.
func (l *link) each(do func(*connection)) {
	var before *connection
	var wait time.Duration
	for _, c := range l.all() {
		if before != nil && before.compare(c) != 0 {
			wait++
		}
		before = c
		l.agenda.in(wait, l.name, func() { do(c) })
	}
}

func (l *link) forget(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connections = slices.DeleteFunc(l.connections, func(x *connection) bool { return x == c })
}

// lead has new connections lead to the store, or refuses them.
func (l *link) lead(s *store) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.route = s
}

// slow has bytes take about so long.
func (l *link) slow(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// lose has what is sent from now on, by connections that there are, never
// arrive.
func (l *link) lose(c *connection, up, down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.up.lost, c.down.lost = c.up.lost || up, c.down.lost || down
}

// abandon breaks all connections and refuses new ones: the node is gone. What
// it has sent may still arrive.
func (l *link) abandon() {
	l.lead(nil)
	l.release()
	for _, c := range l.all() {
		c.put(nil, &net.OpError{Op: "read", Net: "simulation", Err: syscall.ECONNRESET})
		_ = c.Close()
	}
}
