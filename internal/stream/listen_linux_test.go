package stream_test

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"tickertape/internal/stream"
)

// What is set on the listener holds for each connection.
func TestConnectionsInherit(t *testing.T) {
	t.Parallel()
	listener, err := stream.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]struct{ level, option, want int }{
		"send buffer":  {unix.SOL_SOCKET, unix.SO_SNDBUF, 128 << 10}, // the kernel doubles it
		"user timeout": {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 60_000},
		"unsent":       {unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 16 << 10},
		"no delay":     {unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		"keep-alive":   {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		"idle":         {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
		"interval":     {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
		"count":        {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9},
	} {
		got, failed := 0, error(nil)
		if err := raw.Control(func(fd uintptr) { got, failed = unix.GetsockoptInt(int(fd), o.level, o.option) }); err != nil {
			t.Fatal(err)
		}
		if got != o.want || failed != nil {
			t.Errorf("%s is %d, want %d; %v", name, got, o.want, failed)
		}
	}
}
