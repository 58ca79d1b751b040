package main

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"syscall"
)

// keptFiles are left for what is no client: the store, who reads metrics, keys of
// tokens. However many clients come, the hub can do without none of these.
const keptFiles = 32

// noisy logs why connections cannot be taken, and takes none that needs a file
// from number files on: the kernel gives the lowest one that is free, so all below
// are in use. net/http tries again after a pause that grows to a second, and says
// so only at the level of clients' faults.
type noisy struct {
	net.Listener
	log   *slog.Logger
	files int
}

func (n noisy) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err == nil && fileOf(c) >= n.files {
		_ = c.Close()
		err = &net.OpError{Op: "accept", Net: "tcp", Addr: n.Addr(), Err: os.NewSyscallError("accept", syscall.EMFILE)}
	}
	if err == nil {
		return c, nil
	}
	if !errors.Is(err, net.ErrClosed) {
		n.log.Warn("a connection could not be taken; if files are short, raise ulimit -n or lower --max-streams", slog.Any("error", err))
	}
	return nil, err
}

// fileOf returns the number of a connection's file; 0: it has none.
func fileOf(c net.Conn) (number int) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { number = int(fd) }) // fails only if it is closed
	return number
}
