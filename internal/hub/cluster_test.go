package hub_test

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// cluster is two nodes over a Redis, with a prefix of their own.
type cluster struct {
	setup  setup
	server *redistest.Server
	prefix string
	nodes  [2]*member
}

// member is one node.
type member struct {
	bus   *redisbus.Bus
	hub   *hub.Hub
	probe *hub.Subscriber // of no topics: its cursor is the watermark
	life  int
	stop  func()
}

// stores numbers the prefixes, and lives the nodes, over all checks.
var stores, lives atomic.Int64

func newCluster(t *rapid.T, server *redistest.Server, s setup) *cluster {
	server.Must("FLUSHALL")
	c := &cluster{setup: s, server: server, prefix: fmt.Sprintf("tt:{%d}:", stores.Add(1))}
	for i := range c.nodes {
		c.nodes[i] = c.open(t)
	}
	return c
}

func (c *cluster) open(t *rapid.T) *member {
	bus, err := redisbus.Open(redisbus.Options{URL: c.server.URL, Prefix: c.prefix, Retention: c.setup.limits, Rules: c.setup.small.Rules, Beat: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	m := &member{bus: bus, hub: hub.New(bus, c.setup.small), life: int(lives.Add(1))}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.hub.Run(ctx) })
	m.stop = func() { cancel(); running.Wait(); bus.Close() }
	select {
	case <-m.hub.Ready():
	case <-time.After(patience):
		m.stop()
		t.Fatal("the node is not ready")
	}
	m.probe, err = m.hub.Subscribe(hub.Request{}, silent{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// silent is the waker of a probe.
type silent struct{}

func (silent) Wake(*hub.Subscriber) {}

func (m *member) close() {
	m.probe.Close()
	m.stop()
}

// at returns how far the node is.
func (m *member) at(t *rapid.T) event.Cursor {
	_, _ = m.probe.Take(nil, 1)
	cursor, err := event.ParseCursor(m.probe.Cursor())
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}

func (c *cluster) node(i int) *hub.Hub { return c.nodes[i].hub }

// publish publishes again what may not have been stored, as one should: the
// keys keep it from being stored twice.
func (c *cluster) publish(node int, messages []event.Message) (receipts []event.Receipt, life int, err error) {
	for i := range messages {
		messages[i].IdempotencyKey = cmp.Or(messages[i].IdempotencyKey, messages[i].Data.Text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range 5 {
		if receipts, err = c.nodes[node].bus.Publish(ctx, messages); err == nil {
			break
		}
	}
	return receipts, c.nodes[node].life, err
}

func (c *cluster) clock(t *rapid.T) event.Clock {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		clock, err := c.nodes[0].bus.Clock(ctx)
		if err == nil {
			return clock
		}
		if ctx.Err() != nil {
			t.Fatalf("no clock: %v", err)
		}
	}
}

func (c *cluster) watermark(t *rapid.T, node int) event.Position {
	return c.nodes[node].at(t).Position
}

// patience is how long anything may take.
const patience = 10 * time.Second

func (c *cluster) quiet(t *rapid.T) {
	clock := c.clock(t)
	deadline := time.Now().Add(patience)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for i, m := range c.nodes {
		for {
			at := m.at(t)
			if at.Epoch == clock.Epoch && !clock.Position.After(at.Position) {
				break
			}
			if <-look.C; time.Now().After(deadline) {
				t.Fatalf("node %d stands at %v, the store at %v: %v", i, at, clock, m.bus.Ready())
			}
		}
	}
}

func (c *cluster) history(t *rapid.T, r event.Range) event.Page {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		page, err := c.nodes[0].bus.History(ctx, r)
		if err == nil {
			return page
		}
		if ctx.Err() != nil {
			t.Fatalf("no history: %v", err)
		}
	}
}

// patience waits until the hub wakes the subscriber.
func (c *cluster) patience(rung <-chan struct{}) func() bool {
	deadline := time.NewTimer(patience)
	return func() bool {
		select {
		case <-rung:
			return true
		case <-deadline.C:
			return false
		}
	}
}

func (c *cluster) alive(life int) bool {
	return c.nodes[0].life == life || c.nodes[1].life == life
}

// disturb draws faults that pass. They come one after the other: the first
// could break the connection by which the second is asked for.
func (c *cluster) disturb(t *rapid.T) func() error {
	var faults [][]string
	for _, args := range [][]string{
		{"CLIENT", "KILL", "TYPE", "pubsub"},
		{"CLIENT", "KILL", "TYPE", "normal"},
		{"SCRIPT", "FLUSH"},
	} {
		if rapid.IntRange(0, 3).Draw(t, args[len(args)-1]) == 0 {
			faults = append(faults, args)
		}
	}
	return func() error {
		for _, args := range faults {
			if _, err := c.server.Do(args...); err != nil {
				return err
			}
		}
		return nil
	}
}

// replace ends a node, to which its clients hang up before, and starts another
// one in its place.
func (c *cluster) replace(t *rapid.T, hangUp func(node int)) {
	i := drawNode(t)
	c.quiet(t)
	hangUp(i)
	c.nodes[i].close()
	c.nodes[i] = c.open(t)
}

// sever breaks connections, or has Redis forget the scripts.
func (c *cluster) sever(t *rapid.T) {
	fault := c.disturb(t)
	if err := fault(); err != nil {
		t.Fatal(err)
	}
}

// sleep lets logs linger for too long, and pages get old.
func (c *cluster) sleep(t *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 100).Draw(t, "ms")) * time.Millisecond)
}

func (c *cluster) close() {
	for _, m := range c.nodes {
		if m != nil {
			m.close()
		}
	}
}
