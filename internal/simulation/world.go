package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/fakeredis"
	"tickertape/internal/hub"
)

// world is one run: all that takes part in it, and what is known of them.
type world struct {
	seed   uint64
	agenda *agenda
	lua    *fakeredis.Lua
	log    *slog.Logger
	rng    *rand.Rand // the agenda's

	// What is drawn for the whole run.
	limits  event.Retention
	small   hub.Options
	beat    time.Duration
	pace    time.Duration // between a publisher's calls, at most
	cuts    int           // of so many takes one breaks the connection
	topics  []event.Topic
	traffic time.Time // until when

	stores  []*store
	primary *store // where new connections lead
	nodes   []*node
	clients []*client
	healed  bool
	ending  sync.WaitGroup // lives that end

	messages []*message
	eras     map[event.Epoch]*era
	began    time.Time
	lines    []string
	tracing  bool
	faults   []string
}

// itself is the world's name among those who have things done.
const itself = "world"

// random returns a source for one purpose.
func (w *world) random(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, purpose)) }

// dice returns dice for one purpose.
func (w *world) dice(purpose uint64) dice { return dice(mix(w.seed, purpose)) }

func newWorld(seed uint64, lua *fakeredis.Lua, tracing bool) *world {
	w := &world{seed: seed, agenda: newAgenda(), lua: lua, tracing: tracing, eras: map[event.Epoch]*era{}, began: time.Now(), log: slog.New(slog.DiscardHandler)}
	w.rng = w.random(1)
	pick := func(list ...int) int { return list[w.rng.IntN(len(list))] }
	w.limits = event.Retention{Messages: pick(3, 10, 40, 1000), Bytes: pick(1500, 1<<20), Age: time.Duration(pick(1500, 5000, 60_000, 7_200_000)) * time.Millisecond}
	w.small = hub.Options{LogFrames: pick(2, 8, 1024), PageEvents: pick(1, 3, 512), PageBytes: pick(30, 1<<16), PagesBytes: pick(1000, 1<<20),
		LogLinger: time.Duration(pick(100, 2000)) * time.Millisecond, PageLife: time.Duration(pick(100, 2000)) * time.Millisecond, Readers: pick(1, 4)}
	w.beat = time.Duration(pick(400, 1000)) * time.Millisecond
	w.pace = time.Duration(pick(150, 500, 1500)) * time.Millisecond
	w.cuts = pick(5, 20, 200)
	for i := range 3 + w.rng.IntN(4) {
		w.topics = append(w.topics, event.Topic(string(rune('a'+i))))
	}
	return w
}

// note keeps what happens, if somebody wants to read it.
func (w *world) note(format string, args ...any) {
	if w.tracing {
		w.lines = append(w.lines, fmt.Sprintf("%9.4f %s", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...)))
	}
}

// fault keeps what must not happen.
func (w *world) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.faults = append(w.faults, fmt.Sprintf("%.4f: %s", time.Since(w.began).Seconds(), text))
	w.note("FAULT: %s", text)
}

// said is an id as people can read it.
type said string

// String implements fmt.Stringer.
func (id said) String() string {
	c, err := parseCursor(string(id))
	switch {
	case err != nil:
		return fmt.Sprintf("%q", string(id))
	case c.Replaying():
		return fmt.Sprintf("[%d.%d %v of %v, last %d]", c.Epoch.Number, c.Epoch.Nonce, c.Position, c.Opened, c.Last)
	}
	return fmt.Sprintf("[%d.%d %v]", c.Epoch.Number, c.Epoch.Nonce, c.Position)
}

// word words a fact.
func (w *world) word(f *fact) string {
	if f.loss() {
		return fmt.Sprintf("the report at %v that something of %s is lost", f.at, f.topic)
	}
	return fmt.Sprintf("message %d of %s at %v", f.number, f.topic, f.at)
}

// run lets the world live, and judges it.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var agenda sync.WaitGroup
	agenda.Go(func() { w.agenda.run(ctx) })
	w.agenda.wait(itself, w.populate)
	if w.until(20*time.Second, "the nodes are ready", w.ready) {
		w.live()
		w.settle()
	}
	w.agenda.wait(itself, w.end)
	w.ending.Wait()
	time.Sleep(time.Second) // go-redis looks once a second whether its client was closed
	w.agenda.wait(itself, func() {})
	cancel()
	agenda.Wait()
}

// populate makes the store and the nodes.
func (w *world) populate() {
	w.primary = w.newStore(image{}, 0)
	for i := range 2 + w.rng.IntN(2) {
		n := &node{world: w, number: i + 1, link: newLink(w.agenda, fmt.Sprint("node ", i+1), w.dice(10+uint64(i)))}
		n.link.lead(w.primary)
		w.nodes = append(w.nodes, n)
		n.start()
	}
	for i := range 3 + w.rng.IntN(4) {
		w.clients = append(w.clients, w.newClient(i))
	}
}

// newClient draws a client.
func (w *world) newClient(i int) *client {
	c := &client{world: w, name: fmt.Sprint("client ", i+1), dice: w.dice(1000 + uint64(i))}
	rng := w.random(1000 + uint64(i))
	for _, t := range w.topics {
		if rng.IntN(2) == 0 {
			c.topics = append(c.topics, t)
		}
	}
	if len(c.topics) == 0 {
		c.topics = w.topics[:1]
	}
	c.start = []hub.Start{{}, {}, {All: true}, {Last: 1}, {Last: 5}, {Since: 2 * time.Second}}[rng.IntN(6)]
	c.slow = []time.Duration{time.Millisecond, 20 * time.Millisecond, time.Second}[rng.IntN(3)]
	c.mouth = []int{1, 500, 1 << 20}[rng.IntN(3)]
	return c
}

// until waits for a condition, and reports whether it came true in time.
func (w *world) until(patience time.Duration, what string, holds func() bool) bool {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		var is bool
		late := time.Now().After(deadline)
		w.agenda.wait(itself, func() {
			if is = holds(); !is && late {
				w.fault("in vain it is waited until %s", what)
			}
		})
		if is || late {
			return is
		}
	}
}

// ready reports whether all nodes work.
func (w *world) ready() bool {
	for _, n := range w.nodes {
		if n.life == nil {
			return false
		}
		select {
		case <-n.life.hub.Ready():
		default:
			return false
		}
		if n.life.bus.Ready() != nil {
			return false
		}
	}
	return true
}

// live has everybody do what they do, until the traffic ends.
func (w *world) live() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var publishers sync.WaitGroup
	w.agenda.wait(itself, func() {
		w.traffic = time.Now().Add(time.Second + time.Duration(w.rng.Int64N(int64(6*time.Second))))
		for _, c := range w.clients {
			w.agenda.in(c.dice.duration(3*time.Second, 6), c.name, c.come)
		}
		w.plan()
		for i := range 2 + w.rng.IntN(3) {
			rng := w.random(100 + uint64(i))
			p := &publisher{world: w, name: fmt.Sprint("publisher ", i+1), rng: rng, habit: habit(rng.IntN(int(habits)))}
			publishers.Go(func() { p.run(ctx) })
		}
	})
	time.Sleep(time.Until(w.traffic))
	w.agenda.wait(itself, w.heal)
	stop := time.AfterFunc(time.Minute, cancel)
	defer stop.Stop()
	publishers.Wait()
}

// come has the client connect, and be gone after a while, again and again.
func (c *client) come() {
	w := c.world
	if c.stopped {
		return
	}
	if c.sub == nil {
		if l := w.nodes[c.dice.below(len(w.nodes), 7)].life; l != nil {
			c.connect(l)
		}
	} else if !w.healed && c.dice.below(3, 8) == 0 {
		c.hangUp()
	}
	c.world.agenda.in(100*time.Millisecond+c.dice.duration(3*time.Second, 9), c.name, c.come)
}

// end ends all that lives.
func (w *world) end() {
	for _, c := range w.clients {
		c.stopped = true
		c.hangUp()
	}
	for _, n := range w.nodes {
		n.crash()
	}
}
