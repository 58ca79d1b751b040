package main

import (
	"errors"
	"log/slog"
	"net"
)

// noisy logs why connections cannot be taken. net/http tries again after a
// pause that grows to a second, and says so only at the level of clients'
// faults.
type noisy struct {
	net.Listener
	log *slog.Logger
}

func (n noisy) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		n.log.Warn("a connection could not be taken; if files are short, raise ulimit -n or lower --max-streams", slog.Any("error", err))
	}
	return c, err
}
