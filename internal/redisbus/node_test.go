package redisbus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
	"tickertape/internal/sse"
)

const (
	// patience bounds every wait for something that has to happen.
	patience = 20 * time.Second
	beat     = 50 * time.Millisecond
)

func openBus(t *testing.T, o redisbus.Options) *redisbus.Bus {
	t.Helper()
	if o.Beat == 0 {
		o.Beat = beat
	}
	bus, err := redisbus.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	return bus
}

// node is a hub over a bus of its own.
type node struct {
	t   *testing.T
	bus *redisbus.Bus
	hub *hub.Hub
}

func startNode(t *testing.T, o redisbus.Options) *node {
	t.Helper()
	bus := openBus(t, o)
	n := &node{t: t, bus: bus, hub: hub.New(bus, hub.Options{})}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the hub ended with %v", err)
		}
	})
	select {
	case <-n.hub.Ready():
	case <-time.After(patience):
		t.Fatalf("the hub hears nothing: %v", bus.Ready())
	}
	return n
}

// behind starts a node that reaches the server through a proxy.
func behind(t *testing.T, server *redistest.Server) (*node, *redistest.Proxy) {
	t.Helper()
	proxy := redistest.StartProxy(t, server.Addr)
	return startNode(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0"}), proxy
}

// away breaks all of a node's connections, and keeps it from making others.
func away(proxy *redistest.Proxy) {
	proxy.Refuse(true)
	proxy.Cut()
}

// tell publishes texts, each as a message of its own, and returns their cursors.
// It tries until the store takes them.
func tell(t *testing.T, bus *redisbus.Bus, topic string, texts ...string) (cursors []string) {
	t.Helper()
	for _, text := range texts {
		m := event.Message{Topic: event.Topic(topic), Data: event.Data{Text: text}, IdempotencyKey: text}
		deadline := time.Now().Add(patience)
		for {
			receipts, err := bus.Publish(t.Context(), []event.Message{m})
			if err == nil {
				cursors = append(cursors, receipts[0].Cursor.String())
				break
			}
			var passing *event.UnavailableError
			if !errors.As(err, &passing) || time.Now().After(deadline) {
				t.Fatalf("publish %q: %v", text, err)
			}
		}
	}
	return cursors
}

// stream is one client of a node, which reads all that comes.
type stream struct {
	t     *testing.T
	sub   *hub.Subscriber
	woken chan struct{}
	got   []string // "topic text", "gap topic reason"
	id    string   // seen last
	last  map[event.Topic]event.Cursor
}

// Wake implements hub.Waker.
func (s *stream) Wake(*hub.Subscriber) {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

func (n *node) open(from hub.Start, topics ...event.Topic) *stream {
	n.t.Helper()
	s := &stream{t: n.t, woken: make(chan struct{}, 1), last: map[event.Topic]event.Cursor{}}
	sub, err := n.hub.Subscribe(hub.Request{Topics: topics, From: from, Form: hub.Envelope}, s)
	if err != nil {
		n.t.Fatal(err)
	}
	s.sub, s.id = sub, sub.Opening().ID
	n.t.Cleanup(sub.Close)
	return s
}

// resume opens a stream behind a cursor.
func (n *node) resume(cursor string, topics ...event.Topic) *stream {
	n.t.Helper()
	return n.open(hub.Start{Cursor: cursor}, topics...)
}

// until takes what comes until the condition holds.
func (s *stream) until(what string, condition func() bool) {
	s.t.Helper()
	deadline := time.After(patience)
	for !condition() {
		blocks, state := s.sub.Take(nil, 1)
		s.read(bytes.Join(blocks, nil))
		if state == hub.More || condition() {
			continue
		}
		select {
		case <-s.woken:
		case <-deadline:
			s.t.Fatalf("in vain waited until %s; got %q", what, s.got)
		}
	}
}

func (s *stream) read(text []byte) {
	s.t.Helper()
	d := sse.NewDecoder(bytes.NewReader(text), 1<<20)
	for rest := bytes.Count(text, []byte("\n\n")); rest > 0; rest-- {
		e, err := d.Next()
		if err != nil {
			s.t.Fatalf("%q: %v", text, err)
		}
		if e.ID != "" {
			s.id = e.ID
		}
		if e.Name == hub.GapEvent {
			var n hub.GapNotice
			if err := json.Unmarshal([]byte(e.Data), &n); err != nil {
				s.t.Fatal(err)
			}
			s.got = append(s.got, fmt.Sprint("gap ", n.Topic, " ", n.Reason))
			s.rises(n.Topic, n.ResumedAt)
			continue
		}
		var v event.Envelope
		if err := json.Unmarshal([]byte(e.Data), &v); err != nil {
			s.t.Fatal(err)
		}
		data, err := v.Text()
		if err != nil {
			s.t.Fatal(err)
		}
		s.got = append(s.got, fmt.Sprint(v.Topic, " ", data.Text))
		s.rises(v.Topic, v.ID)
	}
}

// rises checks that what comes of a topic stands behind what came before: in
// the same epoch or a later one.
func (s *stream) rises(topic event.Topic, id string) {
	s.t.Helper()
	c, err := event.ParseCursor(id)
	if err != nil {
		s.t.Fatal(err)
	}
	if last := s.last[topic]; c.Epoch.Number < last.Epoch.Number || c.Epoch.Number == last.Epoch.Number && !c.Position.After(last.Position) {
		s.t.Errorf("%q of %s came at %v of epoch %d, behind %v of epoch %d", s.got, topic, c.Position, c.Epoch.Number, last.Position, last.Epoch.Number)
	}
	s.last[topic] = c
}

// ends reads on until the block comes, and returns all since the last call.
func (s *stream) ends(last string) []string {
	s.t.Helper()
	s.until(fmt.Sprintf("%q comes", last), func() bool { return slices.Contains(s.got, last) })
	got := s.got
	s.got = nil
	return got
}

// expect checks what has come since the last call, up to the last of the
// blocks, which are divided by commas.
func (s *stream) expect(blocks string) {
	s.t.Helper()
	want := strings.Split(blocks, ", ")
	if got := s.ends(want[len(want)-1]); !slices.Equal(got, want) {
		s.t.Fatalf("got %q, want %q", got, want)
	}
}

// apart is expect with the gaps told apart, in the order of their topics: a gap
// comes before its place where other topics' events stand in between.
func (s *stream) apart(events, gaps string) {
	s.t.Helper()
	want := strings.Split(events, ", ")
	got := s.ends(want[len(want)-1])
	var said []string
	got = slices.DeleteFunc(got, func(x string) bool {
		gap := strings.HasPrefix(x, "gap ")
		if gap {
			said = append(said, x)
		}
		return gap
	})
	slices.Sort(said)
	if !slices.Equal(got, want) || strings.Join(said, ", ") != gaps {
		s.t.Fatalf("got %q and %q, want %q and %q", got, said, want, gaps)
	}
}

// eventually asks until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain waited until %s", what)
		}
	}
}
