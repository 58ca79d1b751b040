package loop_test

import (
	"cmp"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tickertape/internal/loop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come at once.
const patience = 20 * time.Second

const tick = time.Millisecond

// source is a loop.Source of functions.
type source struct {
	next    func(dst [][]byte, now time.Time) ([][]byte, loop.Then)
	written func()
	ended   chan error
}

func (s *source) Next(dst [][]byte, now time.Time) ([][]byte, loop.Then) { return s.next(dst, now) }

func (s *source) Warm() uint64 { return 0 }

func (s *source) Written(time.Time) {
	if s.written != nil {
		s.written()
	}
}

func (s *source) Ended(why error) { s.ended <- why }

// never is when a source wants to be called that waits for wakes.
func never() loop.Then { return loop.Then{At: time.Now().Add(time.Hour)} }

// silent is a source that has nothing to say.
func silent() *source {
	return &source{ended: make(chan error, 2), next: func(dst [][]byte, _ time.Time) ([][]byte, loop.Then) { return dst, never() }}
}

// start starts a loop whose wheel helps nobody who was forgotten, unless the
// test is about times.
func start(t testing.TB, o loop.Options) *loop.Loop {
	t.Helper()
	o.Stall, o.Tick = cmp.Or(o.Stall, time.Hour), cmp.Or(o.Tick, time.Hour)
	l, err := loop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// why returns why the source's connection has ended.
func (s *source) why(t testing.TB) error {
	t.Helper()
	select {
	case why := <-s.ended:
		return why
	case <-time.After(patience):
		t.Fatal("the connection does not end")
		return nil
	}
}

// sockets makes connections over which little fits: of the far end, and a
// descriptor for the near one.
type sockets struct {
	listener net.Listener
	dialer   net.Dialer
	mu       sync.Mutex
}

func newSockets(t testing.TB) *sockets {
	t.Helper()
	small := func(option int) func(_, _ string, c syscall.RawConn) error {
		return func(_, _ string, c syscall.RawConn) (err error) {
			failed := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, option, 1) })
			if failed != nil {
				return failed
			}
			return err
		}
	}
	config := net.ListenConfig{Control: small(syscall.SO_SNDBUF)}
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return &sockets{listener: listener, dialer: net.Dialer{Control: small(syscall.SO_RCVBUF)}}
}

func (s *sockets) pair(t testing.TB) (far *net.TCPConn, fd int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, err := s.dialer.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	near, err := s.listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if fd, err = loop.Duplicate(near.(*net.TCPConn)); err != nil {
		t.Fatal(err)
	}
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn), fd
}
