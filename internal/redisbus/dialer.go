package redisbus

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// dialFunc makes a connection, as net.Dialer's DialContext does.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dialer makes the bus' connections.
type dialer struct {
	dial dialFunc
	tls  *tls.Config // nil: none. It is for whichever host is dialled
}

// newDialer returns a dialer that connects by dial, or as a net.Dialer does
// where that is nil. A server that went without a word is found out by the
// system within a minute, also by a connection that waits for nothing.
func newDialer(dial dialFunc, config *tls.Config) dialer {
	if dial == nil {
		alive := net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}
		dial = (&net.Dialer{KeepAliveConfig: alive}).DialContext
	}
	return dialer{dial, config}
}

// connect makes a connection within callTime, and within it agrees on TLS if
// that is wanted.
func (d dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	conn, err := d.dial(ctx, network, addr)
	if err != nil || d.tls == nil {
		return conn, err
	}
	config := d.tls.Clone()
	if config.ServerName, _, err = net.SplitHostPort(addr); err != nil {
		_ = conn.Close()
		return nil, err
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}
