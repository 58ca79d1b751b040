package redisbus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestClockGoesBack has the store's clock stand in the future, as it does when
// that of its machine is set back: publishing goes on, and positions rise.
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := startNode(t, redisbus.Options{URL: server.URL})
	live := n.open(hub.Start{}, "a")
	first := tell(t, n.bus, "a", "1")[0]
	live.expect("a 1")

	future := event.Position{MS: position(t, first).MS + 3_600_000, Seq: 7}
	server.Must("HSET", "tt:{0}:clock", "last", future.String())
	last := future
	for i := range 3 {
		p := position(t, tell(t, n.bus, "a", fmt.Sprint("back ", i))[0])
		if !p.After(last) {
			t.Fatalf("%v was given out behind %v", p, last)
		}
		last = p
	}
	n.resume(first, "a").expect("a back 0, a back 1, a back 2")
	live.expect("a back 0, a back 1, a back 2")

	// Also when the store comes back empty, with a clock that is behind.
	server.Kill()
	server.Restart()
	if p := position(t, tell(t, n.bus, "a", "2")[0]); !p.After(last) {
		t.Errorf("%v was given out behind %v", p, last)
	}
	live.expect("gap a store_lost, a 2")
}

// TestLastOfAMillisecond has a topic of which only the time is known, in a
// millisecond that the clock has not left: what comes next goes to the next.
func TestLastOfAMillisecond(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := startNode(t, redisbus.Options{URL: server.URL})
	live := n.open(hub.Start{}, "a")
	future := event.Position{MS: uint64(time.Now().UnixMilli()) + 3_600_000}
	server.Must("HSET", "tt:{0}:clock", "last", future.String())
	tell(t, n.bus, "a", "1")
	server.Must("DEL", "tt:{0}:meta:a", "tt:{0}:log:a")
	tell(t, n.bus, "a", "2", "3")
	live.until("the last one comes", func() bool { return len(live.got) > 0 && live.got[len(live.got)-1] == "a 3" })
}

// TestClockLeapsAhead has Redis' clock leap ahead of where it stood when the
// node connected: the node finds out, and goes on.
func TestClockLeapsAhead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	addr := rewritten(t, server.Addr, func(answer []byte) []byte { return turn(answer, -60) })
	bus := openBus(t, redisbus.Options{URL: "redis://" + addr + "/0"})
	tell(t, bus, "a", "1", "2")
}

// TestClockLeapsAmidPublish has Redis' clock leap ahead by an hour when it has
// taken a call and its answer is lost: what it remembered of the call expires.
func TestClockLeapsAmidPublish(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var ahead atomic.Int64
	proxy := redistest.StartProxy(t, rewritten(t, server.Addr, func(answer []byte) []byte { return turn(answer, int(ahead.Load())) }))
	// A beat under way would hold up the publish until the connection is given up,
	// and no other one is answered.
	bus := openBus(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0", Beat: time.Hour})
	tell(t, bus, "a", "1")
	proxy.Stall(redistest.Down)
	done := begin(t, bus, 10*time.Second, "2", "")
	eventually(t, "it is stored", func() bool { return server.Must("XLEN", "tt:{0}:log:a") == "2" })
	server.Must("DEL", server.Must("KEYS", "tt:{0}:lane:*"))
	ahead.Store(3600)
	proxy.Resume()
	o := <-done
	var passing *event.UnavailableError
	if !errors.As(o.err, &passing) || !passing.MaybeStored {
		t.Errorf("the publish ended with %+v, %v", o.receipts, o.err)
	}
	if length := server.Must("XLEN", "tt:{0}:log:a"); length != "2" {
		t.Errorf("%s are stored", length)
	}
}

// turn changes the time that a connection is told.
func turn(chunk []byte, by int) []byte {
	head := []byte("*2\r\n$10\r\n") // of the answer to TIME, and of no other
	if i := bytes.LastIndex(chunk, head); i >= 0 && len(chunk) >= i+len(head)+10 {
		digits := chunk[i+len(head):][:10]
		if seconds, err := strconv.Atoi(string(digits)); err == nil {
			copy(digits, strconv.Itoa(seconds+by))
		}
	}
	return chunk
}

// rewritten passes bytes to and from the server, but changes what it answers.
func rewritten(t *testing.T, server string, change func([]byte) []byte) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var open []chan struct{}
		for {
			client, err := listener.Accept()
			if err != nil {
				break
			}
			done := make(chan struct{})
			open = append(open, done)
			go func() { defer close(done); rewrite(ctx, client, server, change) }()
		}
		for _, done := range open {
			<-done
		}
	}()
	t.Cleanup(func() { cancel(); _ = listener.Close(); <-ended })
	return listener.Addr().String()
}

func rewrite(ctx context.Context, client net.Conn, addr string, change func([]byte) []byte) {
	defer client.Close()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { _ = client.Close(); _ = server.Close() })()
	up := make(chan struct{})
	go func() {
		defer close(up)
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	defer func() { _ = client.Close(); <-up }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		if _, err := client.Write(change(buffer[:n])); err != nil {
			return
		}
	}
}
