package stream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a hub and an HTTP server inside a bubble, reached by pipes.
type node struct {
	t       *testing.T
	bus     *membus.Bus
	streams *stream.Server
	pipes   pipes
	ended   chan error // why each stream ended
}

// start runs f with a node, and with the time that the bubble keeps.
func start(t *testing.T, o stream.Options, f func(*node)) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{t: t, bus: membus.New(membus.Options{}), pipes: pipes{make(chan net.Conn), make(chan struct{})}, ended: make(chan error, 100)}
		h := hub.New(n.bus, hub.Options{})
		n.streams = stream.NewServer(h, o)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			abort := n.streams.Serve(w, r, stream.Request{Heartbeat: r.URL.Query().Has("heartbeat"),
				Request: hub.Request{Topics: []event.Topic{"news"}, From: hub.Start{Cursor: r.Header.Get("Last-Event-ID")}}},
				func(s stream.Served) { n.ended <- s.Err })
			if abort {
				panic(http.ErrAbortHandler)
			}
		})}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = h.Run(ctx) })
		<-h.Ready()
		running.Go(func() { _ = server.Serve(n.pipes) })
		f(n)
		_ = server.Close()
		cancel()
		running.Wait()
	})
}

// pipes is a net.Listener whose connections a bubble can wait for.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.IPAddr{} }

// client is one open stream.
type client struct {
	t    *testing.T
	conn net.Conn
	body *bufio.Reader
}

// get opens a stream and reads up to the end of its first block.
func (n *node) get(path string) *client {
	n.t.Helper()
	ours, theirs := net.Pipe()
	n.pipes.conns <- theirs
	if _, err := fmt.Fprintf(ours, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		n.t.Fatal(err)
	}
	r := bufio.NewReader(ours)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		n.t.Fatalf("answer %d %v", answer.StatusCode, answer.Header)
	}
	return &client{t: n.t, conn: ours, body: bufio.NewReader(answer.Body)}
}

// line returns the next line, and how long it was in coming.
func (c *client) line() (string, time.Duration) {
	c.t.Helper()
	begin := time.Now()
	line, err := c.body.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%q: %v", line, err)
	}
	return strings.TrimSuffix(line, "\n"), time.Since(begin)
}

// block returns the fields of the next block.
func (c *client) block() (map[string]string, time.Duration) {
	c.t.Helper()
	begin := time.Now()
	fields := map[string]string{}
	for {
		line, _ := c.line()
		if line == "" {
			return fields, time.Since(begin)
		}
		name, value, _ := strings.Cut(line, ": ")
		fields[name] = value
	}
}

func (n *node) publish(text string) {
	n.t.Helper()
	if _, err := n.bus.Publish(context.Background(), []event.Message{{Topic: "news", Data: event.Data{Text: text}}}); err != nil {
		n.t.Fatal(err)
	}
}

func TestQuietStreamShowsThatItLives(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		c := n.get("/")
		defer c.conn.Close()
		opening, _ := c.block()
		if opening["event"] != hub.OpenEvent || opening["data"] != `{"resumed":false}` || opening["id"] == "" {
			t.Fatalf("opening %v", opening)
		}
		waits := map[time.Duration]bool{}
		since := time.Now()
		for {
			line, wait := c.line()
			if line != ":" {
				break
			}
			if wait < 12*time.Second || wait > 18*time.Second {
				t.Errorf("a sign of life after %v", wait)
			}
			waits[wait] = true
		}
		if elapsed := time.Since(since); elapsed != 5*time.Minute {
			t.Errorf("the first cursor came after %v", elapsed)
		}
		// The line just read was the id of a block.
		if rest, _ := c.block(); rest["event"] != hub.CursorEvent || rest["data"] != "{}" {
			t.Errorf("after the comments came %v", rest)
		}
	})
}

func TestHeartbeatsCarryTheCursor(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		c := n.get("/?heartbeat")
		defer c.conn.Close()
		opening, _ := c.block()
		last := opening["id"]
		for range 5 {
			beat, wait := c.block()
			if beat["event"] != hub.HeartbeatEvent || wait < 12*time.Second || wait > 18*time.Second {
				t.Fatalf("after %v came %v", wait, beat)
			}
			before, err := event.ParseCursor(last)
			now, err2 := event.ParseCursor(beat["id"])
			if err != nil || err2 != nil || !now.Position.After(before.Position) {
				t.Fatalf("the cursor went from %v to %v", before, now)
			}
			last = beat["id"]
		}
		n.publish("x")
		if got, wait := c.block(); got["data"] != "x" || wait != 0 {
			t.Errorf("after %v came %v", wait, got)
		}
	})
}

func TestStalledClientIsCut(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		c := n.get("/")
		defer c.conn.Close()
		c.block()
		begin := time.Now()
		n.publish("nobody reads this")
		if err := <-n.ended; !errors.Is(err, stream.ErrStalled) {
			t.Errorf("it ended with %v", err)
		}
		if waited := time.Since(begin); waited != 30*time.Second {
			t.Errorf("cut after %v", waited)
		}
	})
}

func TestSlowClientIsServed(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		c := n.get("/")
		defer c.conn.Close()
		c.block()
		long := strings.Repeat("x", 100_000)
		n.publish(long)
		var got strings.Builder
		for got.Len() < len("data: ")+len(long) {
			time.Sleep(3 * time.Second) // 12 KB at a time, no piece within 30 s of the first
			b, err := c.body.Peek(1)
			if err != nil {
				t.Fatalf("cut after %d bytes: %v", got.Len(), err)
			}
			n := max(len(b), c.body.Buffered())
			chunk := make([]byte, n)
			if _, err := c.body.Read(chunk); err != nil {
				t.Fatal(err)
			}
			got.Write(chunk)
			if i := strings.Index(got.String(), "data: "); i > 0 {
				rest := got.String()[i:]
				got.Reset()
				got.WriteString(rest)
			}
		}
	})
}

func TestCloseSpreadsTheClients(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		const clients = 50
		var mu sync.Mutex
		moments, retries := map[time.Duration]bool{}, map[string]bool{}
		var reading sync.WaitGroup
		begin := time.Now()
		for range clients {
			c := n.get("/")
			c.block()
			reading.Go(func() {
				defer c.conn.Close()
				line, _ := c.line()
				mu.Lock()
				defer mu.Unlock()
				moments[time.Since(begin)] = true
				retries[line] = true
				if _, err := c.body.ReadByte(); err == nil || !strings.HasPrefix(line, "retry: ") {
					t.Errorf("it ended with %q, then %v; want a retry and an aborted body", line, err)
				}
			})
		}
		if n.streams.Open() != clients {
			t.Errorf("%d streams open", n.streams.Open())
		}
		if err := n.streams.Close(context.Background(), 10*time.Second); err != nil {
			t.Error(err)
		}
		reading.Wait()
		if took := time.Since(begin); took > 10*time.Second || len(moments) < clients/2 || len(retries) < clients/2 {
			t.Errorf("all gone after %v, at %d moments, with %d retries", took, len(moments), len(retries))
		}
		late := n.get("/")
		defer late.conn.Close()
		if line, _ := late.line(); !strings.HasPrefix(line, "retry: ") {
			t.Errorf("who comes later is told %q", line)
		}
		if err := <-n.ended; !errors.Is(err, stream.ErrClosing) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestCloseHandsOutWhatIsThere: what was acknowledged before the streams end
// reaches them.
func TestCloseHandsOutWhatIsThere(t *testing.T) {
	t.Parallel()
	for range 20 {
		start(t, stream.Options{}, func(n *node) {
			c := n.get("/")
			defer c.conn.Close()
			c.block()
			var closing sync.WaitGroup
			const last = 10
			for range last {
				n.publish(strings.Repeat("x", 10_000)) // together more than one piece
			}
			closing.Go(func() {
				if err := n.streams.Close(context.Background(), 0); err != nil {
					t.Error(err)
				}
			})
			for i := range last {
				if line, _ := c.line(); !strings.HasPrefix(line, "id: ") {
					t.Fatalf("in place of event %d came %q", i, line)
				}
				c.block()
			}
			if line, _ := c.line(); !strings.HasPrefix(line, "retry: ") {
				t.Errorf("then came %q", line)
			}
			closing.Wait()
		})
	}
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		c := n.get("/")
		defer c.conn.Close()
		c.block()
		n.publish("not read, so the writer is stuck in it")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := n.streams.Close(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFullNodeSendsAwayUntilLater(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{MaxStreams: 1}, func(n *node) {
		c := n.get("/")
		c.block()
		second := n.get("/")
		if line, _ := second.line(); !strings.HasPrefix(line, "retry: ") {
			t.Errorf("got %q", line)
		}
		if _, err := second.body.ReadByte(); err == nil {
			t.Error("the answer goes on")
		}
		if err := <-n.ended; !errors.Is(err, stream.ErrFull) {
			t.Errorf("ended with %v", err)
		}
		second.conn.Close()
		c.conn.Close()
		<-n.ended
		third := n.get("/")
		defer third.conn.Close()
		if opening, _ := third.block(); opening["event"] != hub.OpenEvent {
			t.Errorf("a place is free, but got %v", opening)
		}
	})
}
