package hub_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

// TestPromises holds hub and bus against a model of the promises: clients
// join, drop and come back to one of two nodes with their cursor, while
// messages are published, trimmed and expire. Whatever happens, each client's
// view has to be: every event of its topics behind its start, once, in order,
// and a gap before it goes on wherever something is missing, and only there.
func TestPromises(t *testing.T) {
	t.Parallel()
	var first sync.Once
	rapid.Check(t, func(rt *rapid.T) {
		var failure any
		synctest.Test(t, func(*testing.T) {
			// A failed draw or check of rapid is a panic. It has to
			// leave the bubble by another way, after the hubs ended.
			defer func() { failure = recover() }()
			w := newWorld(rt, 8*time.Second)
			m := newMemory(w.setup, time.Second)
			w.store = m
			w.begin(m.clock(rt))
			defer w.end()
			actions := w.actions()
			actions["sleep"] = m.sleep
			actions["restart"] = func(t *rapid.T) { m.restart(t, w) }
			rt.Repeat(actions)
			w.finish(rt)
		})
		if failure != nil {
			// Bursts do not always repeat: keep what was seen first.
			first.Do(func() { t.Logf("%v", failure) })
			panic(failure)
		}
	})
}

// memory is two nodes on one bus in memory, in a bubble of synctest.
type memory struct {
	setup setup
	nap   time.Duration // that patience takes at once
	bus   *membus.Bus
	nodes []*hub.Hub
	stop  func()
}

func newMemory(s setup, nap time.Duration) *memory {
	m := &memory{setup: s, nap: nap}
	m.start()
	return m
}

// start starts an empty store and two nodes on it.
func (m *memory) start() {
	m.bus = membus.New(membus.Options{Retention: m.setup.limits, Rules: m.setup.small.Rules})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	m.nodes = nil
	for range 2 {
		h := hub.New(m.bus, m.setup.small)
		m.nodes = append(m.nodes, h)
		running.Go(func() { _ = h.Run(ctx) })
		<-h.Ready()
	}
	m.stop = func() { cancel(); running.Wait() }
}

func (m *memory) restart(t *rapid.T, w *world) {
	if rapid.IntRange(0, 4).Draw(t, "rarely") > 0 {
		return
	}
	w.end()
	time.Sleep(time.Second)
	m.start()
	w.begin(m.clock(t))
}

func (m *memory) sleep(t *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 40_000).Draw(t, "ms")) * time.Millisecond)
}

func (m *memory) node(i int) *hub.Hub { return m.nodes[i] }

func (m *memory) publish(_ int, messages []event.Message) ([]event.Receipt, int, error) {
	receipts, err := m.bus.Publish(context.Background(), messages)
	return receipts, 0, err
}

func (m *memory) clock(t *rapid.T) event.Clock {
	clock, err := m.bus.Clock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return clock
}

func (m *memory) watermark(t *rapid.T, _ int) event.Position { return m.clock(t).Position }

func (m *memory) history(t *rapid.T, r event.Range) event.Page {
	page, err := m.bus.History(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// patience lets time pass up to 30 times: the readers back off at times.
func (m *memory) patience(<-chan struct{}) func() bool {
	waits := 0
	return func() bool {
		waits++
		time.Sleep(m.nap)
		synctest.Wait()
		return waits <= 30
	}
}

func (m *memory) quiet(*rapid.T)                {} // what is published has been fed
func (m *memory) alive(int) bool                { return true }
func (m *memory) disturb(*rapid.T) func() error { return func() error { return nil } }
func (m *memory) close()                        { m.stop() }
