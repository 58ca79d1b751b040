package loop

import (
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one connection. Its zero value belongs to no loop yet; it must not be
// copied. Besides idle, all of it is its loop's.
type Conn struct {
	// Of the wheel.
	prev, next *Conn
	due        int64 // the tick; 0: it is not in there

	source Source // nil: it has ended
	rest   *rest  // what the kernel has not taken yet; nil: nothing
	id     id     // zero: the loop has not looked at it yet
	fd     int32
	off    bool // idle is off, but the connection is on no list: it is full
	asks   bool // the epoll tells when there is room again
	loop   *Loop
	idle   atomic.Bool // who turns it off puts the connection on the ready list
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
	defer l.survive(&c)
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
