//go:build !linux

package stream

import (
	"context"
	"net"
)

// Listen listens for TCP connections on the address, host:port. It bounds what
// the kernel keeps for a client that reads nothing.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return bounded{l}, nil
}

// bounded is a listener whose connections have a write buffer of bounded size.
type bounded struct{ net.Listener }

func (b bounded) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(64 << 10)
	}
	return c, err
}
