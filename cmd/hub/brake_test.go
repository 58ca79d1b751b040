//go:build unix

package main_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// brake slows down what its connections read.
type brake struct {
	once  sync.Once
	off   chan struct{}
	taken atomic.Int64 // bytes, while it was on
}

func newBrake() *brake { return &brake{off: make(chan struct{})} }

// release takes the brake off for good.
func (b *brake) release() { b.once.Do(func() { close(b.off) }) }

// dial connects, with little room in the kernel for what is not read.
func (b *brake) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	if err := tcp.SetReadBuffer(4 << 10); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &slowConn{TCPConn: tcp, brake: b}, nil
}

// slowConn takes slowRate bytes a second.
type slowConn struct {
	*net.TCPConn
	brake *brake
	wide  sync.Once
	due   time.Time // of what was read, at that rate
}

// Read takes its time for what it returns.
func (c *slowConn) Read(p []byte) (int, error) {
	select {
	case <-c.brake.off:
		var err error
		c.wide.Do(func() { err = c.SetReadBuffer(1 << 20) })
		if err != nil {
			return 0, err
		}
		return c.TCPConn.Read(p)
	default:
	}
	n, err := c.TCPConn.Read(p[:min(len(p), slowRate/10)])
	c.brake.taken.Add(int64(n))
	// Time spent on waiting for the kernel counts, up to a second.
	if latest := time.Now().Add(-time.Second); c.due.Before(latest) {
		c.due = latest
	}
	c.due = c.due.Add(time.Duration(n) * time.Second / slowRate)
	select {
	case <-c.brake.off:
	case <-time.After(time.Until(c.due)): // a rate, not a condition
	}
	return n, err
}
