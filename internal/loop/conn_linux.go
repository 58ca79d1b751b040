package loop

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one connection. Its zero value belongs to no loop yet; it must not be
// copied. Besides idle, all of it is its loop's.
type Conn struct {
	loop   *Loop
	source Source // nil: it has ended
	rest   *rest  // what the kernel has not taken yet; nil: nothing
	id     id     // zero: the loop has not looked at it yet
	fd     int32
	idle   atomic.Bool // who turns it off puts the connection on the ready list
	off    bool        // idle is off, but the connection is on no list: it is full
	asks   bool        // the epoll tells when there is room again

	// Of the wheel.
	due        int64 // the tick; 0: it is not in there
	prev, next *Conn
}

// rest is what is left of a turn.
type rest struct {
	blocks [][]byte
	then   Then
	since  time.Time // so long has the kernel taken nothing
}

// Wake has the loop call the source's Next soon. It may be called from any
// goroutine, and never waits for a write. Before the connection has a loop, and
// after its end, it does nothing.
func (c *Conn) Wake() {
	if c.idle.CompareAndSwap(true, false) {
		c.loop.inbox.add(c)
	}
}

// serve gives a connection its turn that was on the ready list.
func (l *Loop) serve(c *Conn) {
	defer l.survive(c)
	switch {
	case c.source == nil:
		return // it has ended meanwhile
	case c.rest != nil:
		c.off = true
		return
	case c.id == (id{}) && !l.join(c):
		return
	}
	c.idle.Store(true) // first: see the package comment
	var then Then
	l.blocks, then = c.source.Next(l.blocks[:0], l.now)
	if len(l.blocks) > 0 {
		l.write(c, then)
		clear(l.blocks) // hold on to nothing
		return
	}
	l.follow(c, then)
}

// write writes what Next has brought.
func (l *Loop) write(c *Conn, then Then) {
	left, _, err := l.sender.send(c.fd, l.blocks)
	switch {
	case err != nil:
		l.end(c, err)
	case len(left) > 0:
		l.fill(c, &rest{blocks: slices.Clone(left), then: then, since: l.now})
	default:
		c.source.Written(l.now)
		l.follow(c, then)
	}
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

// fill keeps what the kernel did not take until it has room. Meanwhile nobody
// can wake the connection.
func (l *Loop) fill(c *Conn, r *rest) {
	c.rest = r
	c.off = c.idle.CompareAndSwap(true, false) // else it is on its way here
	l.wheel.place(c, r.since.Add(l.options.Stall))
	if c.asks {
		return
	}
	c.asks = true
	if err := l.poller.watch(c, unix.EPOLL_CTL_MOD, unix.EPOLLOUT); err != nil {
		l.end(c, err)
	}
}

// drain writes on, now that the kernel has room.
func (l *Loop) drain(c *Conn) {
	defer l.survive(c)
	r := c.rest
	left, n, err := l.sender.send(c.fd, r.blocks)
	if n > 0 {
		r.since = l.now
	}
	switch {
	case err != nil:
		l.end(c, err)
		return
	case len(left) > 0:
		r.blocks = slices.Clone(left) // those in front are done with
		return
	}
	c.rest = nil
	c.source.Written(l.now)
	if r.then.End != nil {
		l.end(c, r.then.End)
	} else if c.off {
		c.off = false
		c.idle.Store(true)
		c.Wake() // whoever has woken it meanwhile was not heard
	}
}

// expire looks after a connection whose time has come.
func (l *Loop) expire(c *Conn) {
	switch {
	case c.rest == nil:
		c.Wake()
	case l.now.Sub(c.rest.since) >= l.options.Stall:
		l.end(c, ErrStalled)
	default:
		l.wheel.place(c, c.rest.since.Add(l.options.Stall))
	}
}

// heed does what a word of the epoll asks for.
func (l *Loop) heed(w word) {
	c := l.table.find(w.of)
	switch {
	case c == nil: // it has ended meanwhile
	case w.events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0:
		l.end(c, ErrLeft)
	case w.events&unix.EPOLLIN != 0:
		l.end(c, ErrTalked)
	case c.rest != nil:
		l.drain(c)
	}
}

// survive ends a connection whose source has panicked, so that one stream's fault
// is not every stream's.
func (l *Loop) survive(c *Conn) {
	if p := recover(); p != nil && c.source != nil {
		clear(l.blocks)
		l.end(c, fmt.Errorf("%w: %v", ErrFault, p))
	}
}

// join begins to watch a connection that is new, and reports whether it could.
func (l *Loop) join(c *Conn) bool {
	l.table.add(c)
	if err := l.poller.watch(c, unix.EPOLL_CTL_ADD, 0); err != nil {
		l.end(c, err)
		return false
	}
	return true
}

// end closes the connection, which takes it out of the epoll.
func (l *Loop) end(c *Conn, why error) {
	c.idle.Store(false) // for good
	l.wheel.remove(c)
	l.table.remove(c)
	_ = unix.Close(int(c.fd))
	source := c.source
	c.source, c.rest = nil, nil
	source.Ended(why)
}
