package hub_test

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// client is a browser: it knows the id it saw last, and nothing else outlives
// its connection. Beside it stands what the promises let it expect.
type client struct {
	w      *world
	topics []event.Topic
	sub    *hub.Subscriber
	node   int           // that the stream is on
	rung   chan struct{} // holds a token if the hub woke it
	bytes  []byte        // taken and not read yet

	id   string   // seen last
	seen []string // everything, for a failure's message

	// The expectation. Everything up to at has been delivered, was said to
	// be lost, or was not asked for.
	at      event.Position
	epoch   event.Epoch    // that the stream is in
	clock   event.Clock    // of the store, when the stream came to that epoch; zero until it has
	opened  event.Position // until here an opening replay runs
	last    int
	skipped map[event.Topic]event.Position // not among the last ones up to here
	cover   map[event.Topic]event.Position // said to be lost up to here
	reason  event.Reason                   // the stream has to begin with gaps for this reason
	gaps    int                            // how many of them are still to come

	// Its topics, and from where on it has to know of their losses; and
	// where it heard of one last. Both outlive the connection.
	since, told map[event.Topic]event.Position
}

func (w *world) newClient(topics ...event.Topic) *client {
	return &client{w: w, topics: topics, rung: make(chan struct{}, 1)}
}

// Wake implements hub.Waker.
func (c *client) Wake(*hub.Subscriber) {
	select {
	case c.rung <- struct{}{}:
	default:
	}
}

// drawTopics also draws none at all: such a stream only moves its cursor.
func drawTopics(t *rapid.T) []event.Topic {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(topicNames), 0, len(topicNames), rapid.ID).Draw(t, "topics")
}

func (w *world) join(t *rapid.T) {
	if len(w.clients) >= 6 {
		return
	}
	c := w.newClient(drawTopics(t)...)
	w.clients = append(w.clients, c)
	start := rapid.SampledFrom([]hub.Start{{}, {All: true}, {Last: 1}, {Last: 3}, {Last: 100},
		{Since: time.Second}, {Since: 30 * time.Second}, {Since: time.Hour}}).Draw(t, "start")
	c.connect(t, w.draw(t), start)
	opening := c.parse(t, c.id)
	c.begin(opening)
	c.check(t, (opening.Opened.IsZero()) == (start == hub.Start{} || opening.Opened == opening.Position), "the opening cursor of %+v is %+v", start, opening)
}

// place is where and how a client connects.
type place struct {
	node int
	form hub.Form
}

func (w *world) draw(t *rapid.T) place {
	return place{drawNode(t), rapid.SampledFrom([]hub.Form{hub.Plain, hub.Envelope}).Draw(t, "form")}
}

// connect opens a stream on one of the nodes.
func (c *client) connect(t *rapid.T, at place, start hub.Start) {
	if err := c.open(at, start); err != nil {
		t.Fatal(err)
	}
	c.note(t, "-- from %+v: open %+v", start, c.sub.Opening())
}

func (c *client) open(at place, start hub.Start) error {
	sub, err := c.w.store.node(at.node).Subscribe(hub.Request{Topics: c.topics, From: start, Form: at.form}, c)
	if err != nil {
		return err
	}
	c.sub, c.node, c.bytes, c.id, c.epoch = sub, at.node, nil, sub.Opening().ID, c.w.epoch
	c.clock = event.Clock{Epoch: c.w.epoch, Ended: c.w.ended}
	return nil
}

// note keeps what happened to the client, with ids as what they say.
func (c *client) note(t *rapid.T, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \"\\{:", r) }) {
		if cursor, err := event.ParseCursor(word); err == nil {
			line = strings.ReplaceAll(line, word, fmt.Sprintf("[%v of %v, last %d]", cursor.Position, cursor.Opened, cursor.Last))
		}
	}
	c.seen = append(c.seen, line)
}

// begin sets what is expected of a stream that starts at a cursor.
func (c *client) begin(at event.Cursor) {
	c.at, c.opened, c.last = at.Position, at.Opened, at.Last
	c.cover, c.told = map[event.Topic]event.Position{}, map[event.Topic]event.Position{}
	c.reason, c.gaps = "", 0
	c.since = map[event.Topic]event.Position{}
	for _, topic := range c.topics {
		c.since[topic] = event.Latest(at.Position, at.Opened)
	}
	c.skip()
}

// goOn sets what is expected of a stream that goes on at a client's cursor.
// What the client knows of losses it knows still.
func (c *client) goOn(at event.Cursor) {
	since, told, skipped := c.since, c.told, c.skipped
	c.epoch = at.Epoch // until it takes
	if at.Epoch != c.w.epoch {
		c.clock = event.Clock{}
	}
	if end, ok := c.w.ended[at.Epoch]; ok {
		at.Position, at.Opened = event.Earliest(at.Position, end), event.Earliest(at.Opened, end)
	}
	c.begin(at)
	for topic, p := range since {
		if _, again := c.since[topic]; again {
			c.since[topic], c.told[topic] = p, told[topic]
		}
	}
	for topic, p := range skipped {
		c.skipped[topic] = event.Latest(p, c.skipped[topic])
	}
}

// follow comes with the hub into another epoch of the store. One that the store
// has lost counts for nothing while the stream has not come beyond an earlier
// one.
func (c *client) follow() {
	clock := c.clock
	c.clock = event.Clock{Epoch: c.w.epoch, Ended: c.w.ended}
	if c.epoch == c.w.epoch {
		return
	}
	end, known := c.w.ended[c.epoch]
	if at, err := event.ParseCursor(c.sub.Cursor()); !known && clock.Epoch == c.epoch && err == nil {
		if cut, ended := clock.Ended[at.Epoch]; ended && at.Position.After(cut) {
			end, known = c.w.ended[at.Epoch] // it stands where the lost epoch has cut it back to
		} else {
			of := clock.EpochOf(at.Position)
			if end, known = c.w.ended[of]; known {
				end = event.Earliest(end, clock.Ended[of])
			}
		}
	}
	c.epoch = c.w.epoch
	if !known {
		c.lose(event.StoreLost, c.w.began)
		return
	}
	c.at, c.opened = event.Earliest(c.at, end), event.Earliest(c.opened, end)
}

// lose expects gaps for all topics, and everything behind p afterwards.
func (c *client) lose(reason event.Reason, p event.Position) {
	c.begin(event.Cursor{Position: p})
	if c.gaps = len(c.topics); c.gaps > 0 {
		c.reason = reason
	}
}

// hear waits for the gaps that the stream begins with.
func (c *client) hear(t *rapid.T) {
	more := c.w.store.patience(c.rung)
	for c.reason != "" {
		if state := c.fetch(1); state == hub.Behind && !more() {
			c.check(t, false, "the gaps have not come")
		}
		c.read(t)
	}
}

func (w *world) pick(t *rapid.T, connected bool) *client {
	var fit []*client
	for _, c := range w.clients {
		if (c.sub != nil) == connected {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[rapid.IntRange(0, len(fit)-1).Draw(t, "client")]
}

func (w *world) take(t *rapid.T) {
	if c := w.pick(t, true); c != nil {
		c.fetch(rapid.SampledFrom([]int{1, 300, 1 << 20}).Draw(t, "max"))
		c.read(t)
	}
}

// drop breaks a connection somewhere in what is under way, also before its
// first event.
func (w *world) drop(t *rapid.T) {
	c := w.pick(t, true)
	if c == nil {
		return
	}
	c.fetch(1 << 20)
	arrived := rapid.IntRange(0, len(c.bytes)).Draw(t, "cut")
	whole := arrived == len(c.bytes)
	c.bytes = c.bytes[:arrived]
	c.read(t)
	if whole && rapid.Bool().Draw(t, "after a sign of life") {
		c.id = c.sub.Cursor()
		c.note(t, "-- a sign of life: %s", c.id)
		if c.reason == "" {
			c.passed(t, c.w.place(c.parse(t, c.id)))
		}
	}
	c.close()
}

func (c *client) close() {
	if c.sub != nil {
		c.sub.Close()
		c.sub = nil
	}
}

// fetch takes once, in the store's epoch.
func (c *client) fetch(max int) hub.State {
	c.follow()
	return c.receive(max)
}

func (c *client) receive(max int) hub.State {
	blocks, state := c.sub.Take(nil, max)
	for _, b := range blocks {
		c.bytes = append(c.bytes, b...)
	}
	return state
}

// drain takes some times, whatever comes of it, beside others that publish: it
// leaves the model alone.
func (c *client) drain(times int) {
	for range times {
		if c.sub != nil {
			c.receive(200)
		}
	}
}

// exhaust takes until there is nothing more.
func (c *client) exhaust(t *rapid.T, max int) hub.State {
	more := c.w.store.patience(c.rung)
	for {
		state := c.fetch(max)
		c.read(t)
		switch {
		case state == hub.Idle:
			return state
		case state != hub.Behind:
			more = c.w.store.patience(c.rung)
		case !more():
			return state
		}
	}
}

// catchUp also waits for the losses that are still to be told.
func (c *client) catchUp(t *rapid.T, max int) hub.State {
	more := c.w.store.patience(c.rung)
	for {
		state := c.exhaust(t, max)
		if state != hub.Idle || c.owed() == nil || !more() {
			return state
		}
	}
}
