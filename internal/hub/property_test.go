package hub_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
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
	var first sync.Once
	rapid.Check(t, func(rt *rapid.T) {
		var failure any
		synctest.Test(t, func(*testing.T) {
			// A failed draw or check of rapid is a panic. It has to
			// leave the bubble by another way, after the hubs ended.
			defer func() { failure = recover() }()
			w := newWorld(rt)
			defer w.end()
			rt.Repeat(map[string]func(*rapid.T){
				"publish": w.publish,
				"batch":   w.batch,
				"join":    w.join,
				"take":    w.take,
				"drop":    w.drop,
				"resume":  w.resume,
				"stray":   w.stray,
				"burst":   w.burst,
				"settle":  w.settle,
				"sleep":   w.sleep,
				"restart": w.restart,
			})
			w.settle(rt)
		})
		if failure != nil {
			// Bursts do not always repeat: keep what was seen first.
			first.Do(func() { t.Logf("%v", failure) })
			panic(failure)
		}
	})
}

var topicNames = []event.Topic{"a", "b", "c.d"}

// world is the system under test beside its model.
type world struct {
	limits event.Retention
	small  hub.Options
	bus    *membus.Bus
	nodes  []*hub.Hub
	stop   func()

	mu      sync.Mutex
	events  map[event.Topic][]event.Event // everything published in this epoch
	count   int
	began   event.Position
	clients []*client

	bursts   int
	visitors []*client
}

func newWorld(t *rapid.T) *world {
	w := &world{
		limits: event.Retention{Messages: rapid.IntRange(1, 8).Draw(t, "retain"), Bytes: 1 << 20, Age: time.Minute},
		small: hub.Options{LogFrames: rapid.IntRange(1, 6).Draw(t, "log"), PageEvents: rapid.IntRange(1, 4).Draw(t, "page"),
			Readers: 2, LogLinger: 8 * time.Second, PageLife: 4 * time.Second,
			PageBytes: rapid.SampledFrom([]int{30, 1 << 16}).Draw(t, "page bytes"), PagesBytes: rapid.SampledFrom([]int{1000, 5000, 1 << 20}).Draw(t, "pages")},
	}
	w.start()
	return w
}

// start starts an empty store and two nodes on it.
func (w *world) start() {
	w.bus = membus.New(membus.Options{Retention: w.limits})
	w.events = map[event.Topic][]event.Event{}
	clock, _ := w.bus.Clock(context.Background())
	w.began = clock.Began
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	w.nodes = nil
	for range 2 {
		h := hub.New(w.bus, w.small)
		w.nodes = append(w.nodes, h)
		running.Go(func() { _ = h.Run(ctx) })
		<-h.Ready()
	}
	w.stop = func() { cancel(); running.Wait() }
}

func (w *world) end() {
	for _, c := range slices.Concat(w.clients, w.visitors) {
		c.close()
	}
	w.visitors = nil
	w.stop()
}

func (w *world) restart(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "rarely") > 0 {
		return
	}
	w.end()
	time.Sleep(time.Second)
	w.start()
}

// send publishes and notes what was published where.
func (w *world) send(fail func(string, ...any), topics ...event.Topic) {
	messages := make([]event.Message, len(topics))
	w.mu.Lock()
	for i, topic := range topics {
		w.count++
		messages[i] = event.Message{Topic: topic, Data: event.Data{Text: fmt.Sprint("text ", w.count, "\nline")}}
	}
	w.mu.Unlock()
	receipts, err := w.bus.Publish(context.Background(), messages)
	if err != nil {
		fail("publish: %v", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, r := range receipts {
		w.events[r.Topic] = append(w.events[r.Topic], event.Event{Topic: r.Topic, Position: r.Cursor.Position, Data: messages[i].Data})
	}
}

func (w *world) publish(t *rapid.T) {
	w.send(t.Fatalf, rapid.SampledFrom(topicNames).Draw(t, "topic"))
}

func (w *world) batch(t *rapid.T) {
	w.send(t.Fatalf, rapid.SliceOfN(rapid.SampledFrom(topicNames), 1, 12).Draw(t, "topics")...)
}

func (w *world) sleep(t *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 40_000).Draw(t, "ms")) * time.Millisecond)
}

// burst publishes while clients take, come back and join, in parallel.
func (w *world) burst(t *rapid.T) {
	w.bursts++
	fresh := event.Topic(fmt.Sprint("fresh.", w.bursts)) // nobody has a log of it
	var running sync.WaitGroup
	failed := make(chan error, 100)
	for range rapid.IntRange(1, 2).Draw(t, "publishers") {
		topics := rapid.SliceOfN(rapid.SampledFrom(slices.Concat(topicNames, []event.Topic{fresh})), 1, 30).Draw(t, "topics")
		batch := rapid.IntRange(1, 10).Draw(t, "batch")
		running.Go(func() {
			for part := range slices.Chunk(topics, batch) {
				w.send(func(format string, args ...any) { failed <- fmt.Errorf(format, args...) }, part...)
			}
		})
	}
	for _, c := range w.clients {
		if c.sub != nil {
			running.Go(func() { c.drain(60) })
		}
	}
	guests := w.guests(t, fresh)
	for _, c := range guests {
		at, late := w.draw(t), rapid.IntRange(0, 20).Draw(t, "late")
		running.Go(func() {
			for range late {
				runtime.Gosched()
			}
			if err := c.open(at, hub.Start{Cursor: c.id}); err != nil {
				failed <- err
			}
			c.drain(60)
		})
	}
	running.Wait()
	if len(failed) > 0 {
		t.Fatal(<-failed)
	}
	w.sortEvents()
	for _, c := range guests {
		c.begin(c.parse(t, c.id))
		c.note(t, "-- in a burst, from %s", c.id)
		c.read(t)
		c.complete(t, c.exhaust(t, 1<<20))
	}
	for _, c := range w.visitors {
		c.close()
	}
	w.visitors = nil
	for _, c := range w.clients {
		c.read(t)
	}
}

// guests returns clients that come during a burst: known ones who come back,
// and some who stay for the fresh topic and are gone when the burst is over.
func (w *world) guests(t *rapid.T, fresh event.Topic) (guests []*client) {
	clock, _ := w.bus.Clock(context.Background())
	for _, c := range w.clients {
		if c.sub == nil {
			cursor := c.parse(t, c.id)
			if cursor.Epoch == clock.Epoch && !cursor.Position.After(clock.Position) && !cursor.Opened.After(clock.Position) {
				guests = append(guests, c)
			}
		}
	}
	for range 2 {
		c := &client{w: w, topics: []event.Topic{fresh}}
		guests = append(guests, c)
		w.visitors = append(w.visitors, c)
	}
	return guests
}

// sortEvents brings what racing publishers noted into the order of positions.
func (w *world) sortEvents() {
	for _, list := range w.events {
		slices.SortFunc(list, func(a, b event.Event) int { return a.Position.Compare(b.Position) })
	}
}

// lostAt reports whether the i-th event of a topic was gone at position p.
func (w *world) lostAt(p event.Position, topic event.Topic, i int) bool {
	list := w.events[topic]
	left := 0
	for _, e := range list[i:] {
		if !e.Position.After(p) {
			left++
		}
	}
	return left > w.limits.Messages || !list[i].Position.Add(w.limits.Age).After(p)
}

// lost reports whether the store may let go of the i-th event of a topic.
func (w *world) lost(topic event.Topic, i int) bool {
	list := w.events[topic]
	return len(list)-i > w.limits.Messages || w.old(list[i].Position)
}

func (w *world) old(p event.Position) bool {
	return !p.After(event.Before(time.Now().Add(-w.limits.Age)))
}

// forgotten reports whether the forgotten position may lie behind p: a topic
// that went on behind p has once expired as a whole.
func (w *world) forgotten(p event.Position) bool {
	for _, list := range w.events {
		for i, e := range list {
			if e.Position.After(p) && w.old(e.Position) && (i == len(list)-1 || list[i+1].Position.Time().Sub(e.Position.Time()) >= w.limits.Age) {
				return true
			}
		}
	}
	return false
}

// settle lets everything that is under way end, and checks that every
// connected client has everything.
func (w *world) settle(t *rapid.T) {
	max := rapid.SampledFrom([]int{1, 500, 1 << 20}).Draw(t, "max")
	for _, c := range w.clients {
		if c.sub != nil {
			c.complete(t, c.exhaust(t, max))
		}
	}
}
