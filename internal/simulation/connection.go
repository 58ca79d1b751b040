package simulation

import (
	"cmp"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"tickertape/internal/fakeredis"
)

// connection is one connection between a node and a store. The node's end is a
// net.Conn. All else belongs to the agenda.
type connection struct {
	link     *link
	store    *store
	peer     *fakeredis.Peer // the store's end; nil until the first bytes arrive there
	made     time.Time
	up, down direction
	gone     bool // neither end hears any more of the other

	mu     sync.Mutex
	buffer []byte
	broken error         // what the node's end reads behind that
	until  time.Time     // the deadline of reads
	more   chan struct{} // holds a token while there may be more to read
}

// direction is one of the two of a connection. What is sent arrives in order.
type direction struct {
	sent uint64    // stands for all that was sent
	last time.Time // when the last bytes arrive that were sent
	held [][]byte  // what has arrived while the link is stalled
	lost bool      // what is sent from now on never arrives
}

func newConnection(l *link, s *store) *connection {
	return &connection{link: l, store: s, made: time.Now(), more: make(chan struct{}, 1)}
}

// compare orders the connections of a link: by when they were made, and what the
// node has sent, for that it makes two at one moment is no rarity.
func (c *connection) compare(other *connection) int {
	return cmp.Or(c.made.Compare(other.made), cmp.Compare(c.up.sent, other.up.sent))
}

// Write implements net.Conn. It never waits.
func (c *connection) Write(b []byte) (int, error) {
	c.mu.Lock()
	broken := c.broken
	c.mu.Unlock()
	if broken != nil {
		return 0, &net.OpError{Op: "write", Net: "simulation", Err: syscall.EPIPE}
	}
	bytes := append([]byte(nil), b...)
	c.link.send(&c.up, bytes, func() { c.link.arriveUp(c, bytes) })
	return len(b), nil
}

// Read implements net.Conn.
func (c *connection) Read(b []byte) (int, error) {
	for {
		n, until, err := c.take(b)
		if n > 0 || err != nil {
			return n, err
		}
		if until.IsZero() {
			<-c.more
			continue
		}
		timer := time.NewTimer(time.Until(until))
		select {
		case <-c.more:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take returns what there is to read at the moment, and until when to wait if
// there is nothing.
func (c *connection) take(b []byte) (n int, until time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case len(c.buffer) > 0:
		n = copy(b, c.buffer)
		c.buffer = c.buffer[n:]
		return n, until, nil
	case c.broken != nil:
		return 0, until, c.broken
	case !c.until.IsZero() && !time.Now().Before(c.until):
		return 0, until, &net.OpError{Op: "read", Net: "simulation", Err: os.ErrDeadlineExceeded}
	}
	return 0, c.until, nil
}

// put gives the node's end bytes to read, or breaks it.
func (c *connection) put(b []byte, broken error) {
	c.mu.Lock()
	if c.broken == nil {
		c.buffer, c.broken = append(c.buffer, b...), broken
	}
	c.mu.Unlock()
	c.signal()
}

func (c *connection) signal() {
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// Close implements net.Conn. What was written before still arrives.
func (c *connection) Close() error {
	c.put(nil, net.ErrClosed)
	c.link.send(&c.up, nil, func() { c.link.arriveUp(c, nil) })
	return nil
}

// SetDeadline implements net.Conn.
func (c *connection) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline implements net.Conn. A context with the same deadline ends
// before reads do, each time.
func (c *connection) SetReadDeadline(t time.Time) error {
	if !t.IsZero() {
		t = t.Add(1)
	}
	c.mu.Lock()
	c.until = t
	c.mu.Unlock()
	c.signal()
	return nil
}

// SetWriteDeadline implements net.Conn. Writes never wait.
func (c *connection) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr implements net.Conn.
func (c *connection) LocalAddr() net.Addr { return place("node") }

// RemoteAddr implements net.Conn.
func (c *connection) RemoteAddr() net.Addr { return place("store") }

// place is an address.
type place string

// Network implements net.Addr.
func (place) Network() string { return "simulation" }

// String implements net.Addr.
func (p place) String() string { return string(p) }

// cut breaks the connection for both ends, and loses what is under way.
func (c *connection) cut(reset bool) {
	if c.gone {
		return
	}
	c.close()
	var err error = io.EOF
	if reset {
		err = &net.OpError{Op: "read", Net: "simulation", Err: syscall.ECONNRESET}
	}
	c.put(nil, err)
}

// close ends the store's end.
func (c *connection) close() {
	c.gone = true
	if c.peer != nil {
		c.peer.Close()
	}
	c.link.forget(c)
}
