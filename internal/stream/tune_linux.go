package stream

import (
	"context"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Tune is an http.Server's ConnContext. It bounds what the kernel keeps for a
// client that reads nothing (else up to 4 MB), and how long it believes in a
// peer that confirms nothing (else some 15 minutes). Of what could not even be
// sent it takes no more than 16 KiB: what a slow client gets next is chosen
// late, and may still be superseded. A socket that does not take the advice
// works all the same.
func Tune(ctx context.Context, c net.Conn) context.Context {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return ctx
	}
	_ = tcp.SetWriteBuffer(64 << 10)
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(time.Minute.Milliseconds()))
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 16<<10)
		})
	}
	return ctx
}
