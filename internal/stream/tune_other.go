//go:build !linux

package stream

import (
	"context"
	"net"
)

// Tune is an http.Server's ConnContext. It bounds what the kernel keeps for a
// client that reads nothing.
func Tune(ctx context.Context, c net.Conn) context.Context {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(64 << 10)
	}
	return ctx
}
