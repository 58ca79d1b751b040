package stream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"tickertape/internal/hub"
	"tickertape/internal/loop"
	"tickertape/internal/stream"
)

const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// Whatever a client does that asked for a stream, besides reading, ends that
// stream and nothing else, at any moment.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	does := map[string]struct {
		act func(*testing.T, *net.TCPConn)
		why error
	}{
		"sends a byte":              {func(t *testing.T, c *net.TCPConn) { say(t, c, "x") }, loop.ErrTalked},
		"sends a second request":    {func(t *testing.T, c *net.TCPConn) { say(t, c, request) }, loop.ErrTalked},
		"closes its side":           {func(t *testing.T, c *net.TCPConn) { check(t, c.CloseWrite()) }, loop.ErrLeft},
		"closes":                    {func(t *testing.T, c *net.TCPConn) { check(t, c.Close()) }, loop.ErrLeft},
		"resets":                    {func(t *testing.T, c *net.TCPConn) { check(t, c.SetLinger(0)); check(t, c.Close()) }, loop.ErrLeft},
		"takes nothing":             {func(*testing.T, *net.TCPConn) {}, stream.ErrStalled},
		"takes nothing, then talks": {func(t *testing.T, c *net.TCPConn) { say(t, c, strings.Repeat("x", 1000)) }, loop.ErrTalked},
	}
	for name, row := range does {
		for _, full := range []bool{false, true} {
			if !full && strings.HasPrefix(name, "takes nothing") {
				continue
			}
			t.Run(fmt.Sprintf("%s, full: %t", name, full), func(t *testing.T) {
				t.Parallel()
				startLoop(t, stream.Options{Stall: 200 * time.Second}, func(n *node) {
					c := n.get("/")
					defer c.conn.Close()
					c.block()
					if full {
						n.stick()
					}
					row.act(t, c.conn.(*net.TCPConn))
					if why := <-n.ended; !errors.Is(why, row.why) && !(full && (errors.Is(why, syscall.ECONNRESET) || errors.Is(why, syscall.EPIPE))) {
						t.Errorf("it ended with %v, want %v", why, row.why)
					}
					n.until("nothing is open", func() bool { return n.streams.Open() == 0 })
					n.serves()
				})
			})
		}
	}
}

// A request that has company gets no answer that could be taken for one to that.
func TestRequestsInARow(t *testing.T) {
	t.Parallel()
	startLoop(t, stream.Options{}, func(n *node) {
		for _, more := range []string{"x", request, strings.Repeat("y", 100_000)} {
			conn := n.dial()
			_, _ = io.WriteString(conn, request+more) // it may be cut off before all is sent
			_ = conn.(*net.TCPConn).CloseWrite()
			if why := <-n.ended; !errors.Is(why, loop.ErrTalked) && !errors.Is(why, loop.ErrLeft) && !errors.Is(why, syscall.ECONNRESET) {
				t.Errorf("it ended with %v", why)
			}
			got, _ := io.ReadAll(conn)
			if strings.Count(string(got), "HTTP/1.1") > 1 {
				t.Errorf("there are several answers: %q", got)
			}
			_ = conn.Close()
		}
		n.until("nothing is open", func() bool { return n.streams.Open() == 0 })
		n.serves()
	})
}

// A client that takes nothing while the streams end holds up the end only as
// long as that may last, and is cut off then.
func TestCloseCutsWhoTakesNothing(t *testing.T) {
	t.Parallel()
	startLoop(t, stream.Options{Stall: time.Hour}, func(n *node) {
		c, quiet := n.get("/"), n.get("/?topic=quiet")
		defer c.conn.Close()
		defer quiet.conn.Close()
		c.block()
		quiet.block()
		n.stick()
		ctx, cancel := context.WithTimeout(context.Background(), 10*n.second)
		defer cancel()
		if err := n.streams.Close(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("closed with %v", err)
		}
		if first, then := <-n.ended, <-n.ended; !errors.Is(first, stream.ErrClosing) || !errors.Is(then, loop.ErrCut) {
			t.Errorf("they ended with %v and %v", first, then)
		}
		n.until("nothing is open", func() bool { return n.streams.Open() == 0 })
	})
}

// What a loop cannot serve gets the same stream from a handler.
func TestRequestsThatNoLoopServes(t *testing.T) {
	t.Parallel()
	startLoop(t, stream.Options{}, func(n *node) {
		for _, request := range []string{"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"} {
			conn := n.dial()
			say(t, conn, request)
			answer := bufio.NewReader(conn)
			var got strings.Builder
			for !strings.HasSuffix(got.String(), "\n\n") {
				line, err := answer.ReadString('\n')
				if err != nil {
					t.Fatalf("%q: behind %q: %v", request, got.String(), err)
				}
				got.WriteString(line)
			}
			if !strings.Contains(got.String(), " 200 OK\r\n") || !strings.Contains(got.String(), "event: hub.open\n") {
				t.Errorf("%q: got %q", request, got.String())
			}
			say(t, conn, "0123456789") // which a loop would not stand
			n.publish("x")
			for line := ""; line != "data: x\n"; {
				var err error
				if line, err = answer.ReadString('\n'); err != nil {
					t.Fatalf("%q: it ends: %v", request, err)
				}
			}
			_ = conn.Close()
		}
	})
}

// serves checks that the node still does.
func (n *node) serves() {
	n.t.Helper()
	c := n.get("/?topic=other")
	defer c.conn.Close()
	if b, _ := c.block(); b["event"] != hub.OpenEvent {
		n.t.Errorf("then it says %v", b)
	}
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	check(t, err)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
