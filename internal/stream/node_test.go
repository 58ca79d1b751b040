package stream_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// patience is how long a test waits for what must come at once.
const patience = 20 * time.Second

// node is a hub and an HTTP server.
type node struct {
	t       testing.TB
	bus     *membus.Bus
	hub     *hub.Hub
	streams *stream.Server
	addr    string
	dial    func() net.Conn
	ended   chan error // why each stream ended
	hold    sync.Mutex // whoever has it holds up those who tell that
	count   atomic.Int64
	// second is how long a second is: where the clock is a real one, an
	// hundredth of one.
	second time.Duration
	// exact says that nothing takes any time, and that a connection holds
	// nothing that was not read.
	exact bool
}

// start runs f with a node for each writer: with the portable one in a bubble
// whose time stands still while anybody works, reached by pipes; with the loop
// over real sockets, for no bubble sees what an epoll waits for.
func start(t *testing.T, o stream.Options, f func(*node)) {
	t.Run(string(stream.Portable), func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := pipes{make(chan net.Conn), make(chan struct{})}
			o := o
			o.Writer = stream.Portable
			n := &node{t: t, second: time.Second, exact: true, dial: p.dial}
			n.run(p, o, f)
		})
	})
	if stream.Loop.Check() == nil {
		t.Run(string(stream.Loop), func(t *testing.T) {
			t.Parallel()
			startLoop(t, o, f)
		})
	}
}

// startLoop runs f with a node whose streams a loop writes.
func startLoop(t testing.TB, o stream.Options, f func(*node)) {
	listener, err := stream.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const slower = 100
	n := &node{t: t, second: time.Second / slower, addr: listener.Addr().String()}
	n.dial = func() net.Conn { return dialSmall(t, n.addr) }
	o.Writer, o.KeepAlive, o.CursorEvery = stream.Loop, 15*n.second, 300*n.second
	o.Stall, o.Lifetime = cmp.Or(o.Stall, 30*time.Second)/slower, o.Lifetime/slower
	n.run(listener, o, f)
}

// run runs f with the node.
func (n *node) run(l net.Listener, o stream.Options, f func(*node)) {
	const kept = 100 // events of a topic
	n.bus, n.ended = membus.New(membus.Options{Retention: event.Retention{Messages: kept}}), make(chan error, 100)
	n.hub = hub.New(n.bus, hub.Options{LogFrames: kept, LogBytes: 16 << 20, PagesBytes: 1 << 20})
	n.streams = stream.NewServer(n.hub, o)
	server := &http.Server{ConnContext: stream.WithConn, Handler: http.HandlerFunc(n.serve)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = n.hub.Run(ctx) })
	<-n.hub.Ready()
	running.Go(func() { _ = server.Serve(l) })
	f(n)
	_ = server.Close()
	gone, cancelClose := context.WithCancel(context.Background())
	n.streams.Cut()
	cancelClose()
	_ = n.streams.Close(gone, 0)
	cancel()
	running.Wait()
}

func (n *node) serve(w http.ResponseWriter, r *http.Request) {
	topics := []event.Topic{"news"}
	if names := r.URL.Query()["topic"]; len(names) > 0 {
		topics = nil
		for _, name := range names {
			topics = append(topics, event.Topic(name))
		}
	}
	q := stream.Request{Heartbeat: r.URL.Query().Has("heartbeat"),
		Request: hub.Request{Topics: topics, From: hub.Start{Cursor: r.Header.Get("Last-Event-ID")}}}
	if text := r.URL.Query().Get("seconds"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		q.Expires = time.Now().Add(time.Duration(seconds) * n.second)
	}
	if n.streams.Serve(w, r, q, n.tell) {
		panic(http.ErrAbortHandler)
	}
}

// tell keeps why a stream ended, if there is room.
func (n *node) tell(s stream.Served) {
	n.hold.Lock()
	defer n.hold.Unlock()
	select {
	case n.ended <- s.Err:
	default:
	}
}

// pipes is a net.Listener whose connections a bubble can wait for.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
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
	t    testing.TB
	conn net.Conn
	body *bufio.Reader
}

// get opens a stream and reads up to the end of its headers.
func (n *node) get(path string) *client {
	n.t.Helper()
	conn := n.dial()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		n.t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		n.t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		n.t.Fatalf("answer %d %v", answer.StatusCode, answer.Header)
	}
	return &client{t: n.t, conn: conn, body: bufio.NewReader(answer.Body)}
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

// stick publishes so much that the writer cannot go on until somebody reads.
func (n *node) stick() {
	n.t.Helper()
	if n.exact {
		n.publish("not read, so the writer is stuck in it")
		synctest.Wait()
		return
	}
	const messages, size = 30, 100_000 // more than what the kernel takes for a client that reads nothing
	for range messages {
		n.publish(strings.Repeat("x", size))
	}
	n.until("the hub has heard of them", func() bool { return n.hub.Stats().LogBytes > messages*size })
}

// within checks how long something took, in seconds.
func (n *node) within(what string, took time.Duration, least, most float64) {
	n.t.Helper()
	seconds := float64(took) / float64(n.second)
	if !n.exact {
		most = patience.Seconds() * 100 // who knows what else the machine does
	}
	if seconds < least || seconds > most {
		n.t.Errorf("%s after %.2f s, want %v to %v", what, seconds, least, most)
	}
}

// until waits until it is so.
func (n *node) until(what string, so func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(n.second / 10) {
		if time.Now().After(deadline) {
			n.t.Fatalf("in vain: %s", what)
		}
	}
}
