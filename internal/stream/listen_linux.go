package stream

import (
	"context"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listen listens for TCP connections on the address, host:port. It bounds what
// the kernel keeps for a client that reads nothing (else up to 4 MB), and how long
// it believes in a peer that confirms nothing (else some 15 minutes). Of what
// could not even be sent it takes no more than 16 KiB: what a slow client gets next
// is chosen late, and may still be superseded. A system that does not take the
// advice works all the same.
//
// Connections inherit all that from the listener, which saves seven system calls
// for each. One for MPTCP would hand on little of it.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	config := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, raw syscall.RawConn) error { return raw.Control(tune) }}
	config.SetMultipathTCP(false)
	return config.Listen(ctx, "tcp", addr)
}

// tune sets a listener's options. What Go would else set for each connection are
// the keep-alives, with these values.
func tune(fd uintptr) {
	for _, o := range [...]struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_SNDBUF, 64 << 10},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(time.Minute.Milliseconds())},
		{unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 16 << 10},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9},
	} {
		_ = unix.SetsockoptInt(int(fd), o.level, o.name, o.value)
	}
}
