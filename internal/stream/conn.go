package stream

import (
	"context"
	"net"
)

// WithConn is an http.Server's ConnContext. A Server's loops take over only
// connections that have come by here, and by a listener of Listen or one like it.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

type connKey struct{}
