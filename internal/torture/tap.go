package torture

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"tickertape/internal/client"
)

// tap is what clients read through who take what comes in small pieces, or
// nothing, until it is opened.
type tap struct {
	piece  int           // bytes that one read takes at most
	every  time.Duration // from read to read; 0: nothing is read
	room   int           // bytes that the kernel keeps of what is not read, about; 0: as it likes
	opened chan struct{}
}

func newTap(piece int, every time.Duration) *tap {
	return &tap{piece: piece, every: every, opened: make(chan struct{})}
}

// open lets everything through from now on. It is called once.
func (x *tap) open() { close(x.opened) }

// clients returns a client for each hub that reads through the tap, straight
// from the hub: a proxy, and the kernel for it, would take some megabytes.
func (x *tap) clients(r *Run) (ways []*client.Client) {
	r.T.Helper()
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true, DialContext: x.dial}
	for _, h := range r.Hubs {
		// However long nothing is read, the client is not the one who gives up.
		ways = append(ways, r.clientOf(h.Addr, client.Options{Transport: transport, Silence: time.Hour}))
	}
	return ways
}

func (x *tap) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	if x.room > 0 {
		if err := tcp.SetReadBuffer(x.room); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return &tappedConn{TCPConn: tcp, tap: x, closed: make(chan struct{})}, nil
}

// tappedConn is a connection that is read through a tap.
type tappedConn struct {
	*net.TCPConn
	tap    *tap
	closed chan struct{}
	once   sync.Once
	wide   sync.Once
}

func (c *tappedConn) Read(p []byte) (int, error) {
	var due <-chan time.Time
	if c.tap.every > 0 {
		due = time.After(c.tap.every)
	}
	select {
	case <-c.tap.opened:
		if err := c.widen(); err != nil {
			return 0, err
		}
	case <-due:
		p = p[:min(len(p), c.tap.piece)]
	case <-c.closed:
		return 0, net.ErrClosed
	}
	return c.TCPConn.Read(p)
}

// widen has the kernel keep more, once, or reading fast would be slow.
func (c *tappedConn) widen() (err error) {
	if c.tap.room > 0 {
		c.wide.Do(func() { err = c.SetReadBuffer(1 << 20) })
	}
	return err
}

func (c *tappedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.TCPConn.Close()
}
