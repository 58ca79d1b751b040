package hub_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// kinds is a world of topics of all kinds, which end and live again, with two
// nodes. Beside it stands all that was ever published.
type kinds struct {
	setup
	store store

	mu     sync.Mutex
	events []event.Event // in order of position, but within a burst
	count  int
	guests []*guest
	over   map[event.Topic]bool // had ended when the burst in hand began: they may live again since
}

// Topics whose names begin with t are tables, with e ephemeral, else logs.
var (
	kindTopics = []event.Topic{"l.a", "l.b", "l.c.d", "t.a", "t.b", "e.a"}
	kindNames  = []string{"l.a", "l.b", "t.a", "e.a", "l.*", "t.*", "**", "*.a", "e.**", "l.c.*"}
)

func newKinds(t *rapid.T, linger time.Duration) *kinds {
	rules := event.Rules{rule(t, "t.*", event.KindLatest), rule(t, "e.*", event.KindEphemeral)}
	return &kinds{setup: setup{
		limits: event.Retention{Messages: rapid.IntRange(2, 8).Draw(t, "retain"), Bytes: 1 << 20, Age: time.Minute},
		small: hub.Options{Rules: rules, Age: time.Minute, Readers: 2, LogLinger: linger, PageLife: linger / 2,
			LogFrames:  rapid.IntRange(1, 3).Draw(t, "log"),
			PageEvents: rapid.IntRange(1, 4).Draw(t, "page"),
			LogsBytes:  rapid.SampledFrom([]int{3000, 1 << 20}).Draw(t, "logs"),
			PagesBytes: rapid.SampledFrom([]int{1000, 1 << 20}).Draw(t, "pages"),
		},
	}}
}

func (w *kinds) end() {
	for _, c := range w.guests {
		c.close()
	}
	w.store.close()
}

// hangUp breaks the connections to a node.
func (w *kinds) hangUp(node int) {
	for _, c := range w.guests {
		if c.node == node {
			c.close()
		}
	}
}

func (w *kinds) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){"publish": w.publish, "publish more": w.publish, "batch": w.batch, "burst": w.burst,
		"join": w.join, "take": w.take, "drop": w.drop, "resume": w.resume, "settle": w.settle}
}

func (w *kinds) draw(t *rapid.T) event.Message {
	w.count++
	m := event.Message{Topic: rapid.SampledFrom(kindTopics).Draw(t, "topic"), IdempotencyKey: fmt.Sprint(w.count), Data: event.Data{Text: fmt.Sprint(w.count)}}
	kind := w.small.Rules.Of(m.Topic).Kind
	what := rapid.IntRange(0, 11).Draw(t, "what")
	if kind == event.KindLatest {
		m.Key = rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "key")
		if what < 2 {
			m.Data = event.Data{JSON: true, Text: "null"}
		}
	}
	if what == 11 && kind != event.KindEphemeral {
		return event.Message{Topic: m.Topic, IdempotencyKey: m.IdempotencyKey, EndOnly: true, End: event.Failed}
	}
	return m
}

func (w *kinds) publish(t *rapid.T) { w.send(t.Fatalf, drawNode(t), w.draw(t)) }

func (w *kinds) batch(t *rapid.T) {
	for range rapid.IntRange(2, 20).Draw(t, "n") {
		w.publish(t)
	}
}

// burst publishes on both nodes while connections of theirs may break, and
// clients take what comes, or come back.
func (w *kinds) burst(t *rapid.T) {
	w.over = map[event.Topic]bool{}
	for _, topic := range kindTopics {
		w.over[topic] = w.isOver(topic)
	}
	defer func() { w.over = nil }()
	var running sync.WaitGroup
	failed := make(chan error, 100)
	fail := func(format string, args ...any) { failed <- fmt.Errorf(format, args...) }
	for range 2 {
		var messages []event.Message
		for range rapid.IntRange(1, 20).Draw(t, "n") {
			messages = append(messages, w.draw(t))
		}
		node := drawNode(t)
		running.Go(func() {
			for _, m := range messages {
				w.send(fail, node, m)
			}
		})
	}
	fault := w.store.disturb(t)
	running.Go(func() {
		if err := fault(); err != nil {
			fail("the fault: %w", err)
		}
	})
	var back []*guest
	for _, c := range w.guests {
		if c.over {
			continue
		}
		if c.sub == nil {
			back = append(back, c)
		}
		node := drawNode(t)
		running.Go(func() {
			if c.sub == nil {
				if err := c.open(node, hub.Start{Cursor: c.id}); err != nil {
					fail("back: %w", err)
				}
			}
			for range 60 {
				if c.sub != nil {
					c.take(200)
				}
			}
		})
	}
	running.Wait()
	if len(failed) > 0 {
		t.Fatal(<-failed)
	}
	slices.SortFunc(w.events, func(a, b event.Event) int { return a.Position.Compare(b.Position) })
	w.store.quiet(t)
	for _, c := range back {
		c.opened(t, hub.Start{Cursor: c.id})
	}
	for _, c := range w.guests {
		if c.sub != nil {
			c.hear(t)
		}
	}
}

// send publishes; a topic that has ended takes nothing.
func (w *kinds) send(fail func(string, ...any), node int, m event.Message) {
	r, _, err := w.store.publish(node, []event.Message{m})
	if _, ended := errors.AsType[*event.EndedError](err); ended {
		return
	}
	if err != nil {
		fail("publish: %v", err)
		return
	}
	e := event.Event{Epoch: r[0].Cursor.Epoch, Position: r[0].Cursor.Position, Topic: m.Topic, Kind: w.small.Rules.Of(m.Topic).Kind, Key: m.Key, Data: m.Data}
	if m.EndOnly {
		e = event.NewEnd(m.Topic, e.Kind, m.End)
		e.Epoch, e.Position = r[0].Cursor.Epoch, r[0].Cursor.Position
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// kept returns what the store has of the topic.
func (w *kinds) kept(t *rapid.T, topic event.Topic) map[event.Position]bool {
	kept := map[event.Position]bool{}
	for _, e := range w.store.history(t, event.Range{Topic: topic, Upto: w.store.clock(t).Position}).Events {
		kept[e.Position] = true
	}
	return kept
}

// superseded reports whether the event is not the newest of its key.
func (w *kinds) superseded(e event.Event) bool {
	return e.Kind == event.KindLatest && e.End == "" && slices.ContainsFunc(w.events, func(f event.Event) bool {
		return f.Topic == e.Topic && f.Key == e.Key && f.End == "" && f.Position.After(e.Position)
	})
}

// later counts the topic's events behind e and up to p.
func (w *kinds) later(e event.Event, p event.Position) (n int) {
	for _, f := range w.events {
		if f.Topic == e.Topic && f.Position.After(e.Position) && !f.Position.After(p) {
			n++
		}
	}
	return n
}

// tell words what was published to a topic.
func (w *kinds) tell(topic event.Topic) string {
	var text strings.Builder
	for _, e := range w.events {
		if e.Topic == topic {
			fmt.Fprintf(&text, " %v %s%s", e.Position, e.Data.Text, e.End)
		}
	}
	return text.String()
}

// isOver reports whether the topic's last event is its end.
func (w *kinds) isOver(topic event.Topic) bool {
	for _, e := range slices.Backward(w.events) {
		if e.Topic == topic {
			return e.End != ""
		}
	}
	return false
}

func (w *kinds) pick(t *rapid.T, connected bool) *guest {
	var fit []*guest
	for _, c := range w.guests {
		if (c.sub != nil) == connected && !c.over {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return rapid.SampledFrom(fit).Draw(t, "guest")
}

func (w *kinds) join(t *rapid.T) {
	if len(w.guests) >= 6 {
		return
	}
	start := rapid.SampledFrom([]hub.Start{{}, {All: true}, {Last: 2}, {Since: 20 * time.Second}}).Draw(t, "start")
	c := &guest{w: w, rung: make(chan struct{}, 1), names: rapid.SliceOfNDistinct(rapid.SampledFrom(kindNames), 1, 3, rapid.ID).Draw(t, "names"),
		cover: map[event.Topic]event.Position{}}
	w.guests = append(w.guests, c)
	c.connect(t, start)
	opening, err := event.ParseCursor(c.id)
	if err != nil {
		t.Fatal(err)
	}
	c.at, c.opening = opening.Position, opening
}

func (w *kinds) take(t *rapid.T) {
	if c := w.pick(t, true); c != nil {
		c.take(rapid.SampledFrom([]int{1, 300, 1 << 20}).Draw(t, "max"))
		c.hear(t)
	}
}

// drop breaks a connection somewhere in what is under way.
func (w *kinds) drop(t *rapid.T) {
	if c := w.pick(t, true); c != nil {
		c.take(1 << 20)
		c.bytes = c.bytes[:rapid.IntRange(0, len(c.bytes)).Draw(t, "cut")]
		c.read(t)
		c.close()
	}
}

func (w *kinds) resume(t *rapid.T) {
	if c := w.pick(t, false); c != nil {
		c.connect(t, hub.Start{Cursor: c.id})
	}
}

// settle has everyone who is connected catch up.
func (w *kinds) settle(t *rapid.T) {
	w.store.quiet(t)
	for _, c := range w.guests {
		if c.sub != nil {
			c.settle(t)
		}
	}
}

func (w *kinds) finish(t *rapid.T) {
	w.store.quiet(t)
	for _, c := range w.guests {
		c.finish(t)
	}
}
