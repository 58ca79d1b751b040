package hub_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

var topicNames = []event.Topic{"a", "b", "c.d"}

// store is what differs from bus to bus: how two nodes are run on it, and how
// time passes.
type store interface {
	node(i int) *hub.Hub
	// publish returns the receipts and the life of the node that has them.
	publish(node int, messages []event.Message) ([]event.Receipt, int, error)
	clock(t *rapid.T) event.Clock
	watermark(t *rapid.T, node int) event.Position
	// quiet returns when all nodes have heard everything.
	quiet(t *rapid.T)
	// patience returns what lets time pass until the subscriber may get on,
	// which it hears by rung, and reports false when that took too long.
	patience(rung <-chan struct{}) func() bool
	history(t *rapid.T, r event.Range) event.Page
	// alive reports whether a node still knows what it knew in that life.
	alive(life int) bool
	// disturb returns passing faults to do while clients are busy.
	disturb(t *rapid.T) func() error
	close()
}

// setup is how a store and its nodes are made, with the same rules.
type setup struct {
	limits event.Retention
	small  hub.Options
}

// world is the system under test beside its model.
type world struct {
	setup
	store store

	mu     sync.Mutex
	events map[event.Topic][]event.Event // all that was published and that the store did not lose
	count  int
	lives  map[event.Position]int // of the nodes that were told of an event

	epoch  event.Epoch
	began  event.Position
	ended  map[event.Epoch]event.Position // epochs that the store knows, and where they ended
	down   bool                           // the store is away
	losses []lostEvent
	marks  map[event.Topic]map[event.Position]struct{} // where losses were told in this epoch

	clients  []*client
	bursts   int
	visitors []*client
}

// lostEvent is an event that a store lost when it came back older.
type lostEvent struct {
	event.Event
	began event.Position // of the epoch that does not have it
	life  int
}

func newWorld(t *rapid.T, linger time.Duration) *world {
	return &world{setup: setup{
		limits: event.Retention{Messages: rapid.IntRange(1, 8).Draw(t, "retain"), Bytes: 1 << 20, Age: time.Minute},
		small: hub.Options{LogFrames: rapid.IntRange(1, 6).Draw(t, "log"), PageEvents: rapid.IntRange(1, 4).Draw(t, "page"),
			Readers: 2, LogLinger: linger, PageLife: linger / 2,
			PageBytes:  rapid.SampledFrom([]int{30, 1 << 16}).Draw(t, "page bytes"),
			PagesBytes: rapid.SampledFrom([]int{1000, 5000, 1 << 20}).Draw(t, "pages")},
	}}
}

// actions are what can happen on every bus.
func (w *world) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"publish": w.publish,
		"batch":   w.batch,
		"join":    w.join,
		"take":    w.take,
		"drop":    w.drop,
		"resume":  w.resume,
		"stray":   w.stray,
		"burst":   w.burst,
		"settle":  w.settle,
	}
}

// begin begins the model of a store that knows nothing.
func (w *world) begin(clock event.Clock) {
	w.events, w.lives, w.losses = map[event.Topic][]event.Event{}, map[event.Position]int{}, nil
	w.turn(clock)
}

// turn takes in that an epoch has begun.
func (w *world) turn(clock event.Clock) {
	w.epoch, w.began, w.ended = clock.Epoch, clock.Began, clock.Ended
	w.marks = map[event.Topic]map[event.Position]struct{}{}
}

func (w *world) end() {
	w.hangUp()
	w.store.close()
}

// hangUp breaks all connections.
func (w *world) hangUp() {
	for _, c := range slices.Concat(w.clients, w.visitors) {
		c.close()
	}
	w.visitors = nil
}

// send publishes and notes what was published where.
func (w *world) send(fail func(string, ...any), node int, topics ...event.Topic) {
	messages := make([]event.Message, len(topics))
	w.mu.Lock()
	for i, topic := range topics {
		w.count++
		messages[i] = event.Message{Topic: topic, Data: event.Data{Text: fmt.Sprint("text ", w.count, "\nline")}}
	}
	w.mu.Unlock()
	receipts, life, err := w.store.publish(node, messages)
	if err != nil {
		fail("publish: %v", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, r := range receipts {
		w.events[r.Topic] = append(w.events[r.Topic], event.Event{Topic: r.Topic, Epoch: r.Cursor.Epoch, Position: r.Cursor.Position, Data: messages[i].Data})
		w.lives[r.Cursor.Position] = life
	}
}

func drawNode(t *rapid.T) int { return rapid.IntRange(0, 1).Draw(t, "node") }

func (w *world) publish(t *rapid.T) {
	w.send(t.Fatalf, drawNode(t), rapid.SampledFrom(topicNames).Draw(t, "topic"))
}

func (w *world) batch(t *rapid.T) {
	w.send(t.Fatalf, drawNode(t), rapid.SliceOfN(rapid.SampledFrom(topicNames), 1, 12).Draw(t, "topics")...)
}

// burst publishes while clients take, come back and join, in parallel.
func (w *world) burst(t *rapid.T) {
	w.bursts++
	for _, c := range w.clients {
		if c.sub != nil {
			c.follow()
		}
	}
	fresh := event.Topic(fmt.Sprint("fresh.", w.bursts)) // nobody has a log of it
	var running sync.WaitGroup
	failed := make(chan error, 100)
	for range rapid.IntRange(1, 2).Draw(t, "publishers") {
		topics := rapid.SliceOfN(rapid.SampledFrom(slices.Concat(topicNames, []event.Topic{fresh})), 1, 30).Draw(t, "topics")
		batch, node := rapid.IntRange(1, 10).Draw(t, "batch"), drawNode(t)
		running.Go(func() {
			for part := range slices.Chunk(topics, batch) {
				w.send(func(format string, args ...any) { failed <- fmt.Errorf(format, args...) }, node, part...)
			}
		})
	}
	fault := w.store.disturb(t)
	running.Go(func() {
		if err := fault(); err != nil {
			failed <- err
		}
	})
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
	w.store.quiet(t)
	for _, c := range guests {
		c.goOn(c.parse(t, c.id))
		c.note(t, "-- in a burst, from %s", c.id)
		c.read(t)
		c.complete(t, c.catchUp(t, 1<<20))
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
	clock := w.store.clock(t)
	for _, c := range w.clients {
		if c.sub == nil {
			cursor := c.parse(t, c.id)
			if cursor.Epoch == clock.Epoch && !cursor.Position.After(clock.Position) && !cursor.Opened.After(clock.Position) {
				guests = append(guests, c)
			}
		}
	}
	for range 2 {
		c := w.newClient(fresh)
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

// finish has everybody come back, and settles.
func (w *world) finish(t *rapid.T) {
	for _, c := range w.clients {
		if c.sub == nil {
			w.comeBack(t, c)
		}
	}
	w.settle(t)
}

// settle lets everything that is under way end, and checks that every
// connected client has everything.
func (w *world) settle(t *rapid.T) {
	w.store.quiet(t)
	max := rapid.SampledFrom([]int{1, 500, 1 << 20}).Draw(t, "max")
	for _, c := range w.clients {
		if c.sub != nil {
			c.complete(t, c.catchUp(t, max))
		}
	}
}
