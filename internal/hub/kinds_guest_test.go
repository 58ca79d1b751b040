package hub_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/sse"
)

// endOfTime lies behind every position.
var endOfTime = event.Position{MS: 1 << 47}

// guest is a client of topics and selectors, and what it may expect.
type guest struct {
	w       *kinds
	names   []string
	sub     *hub.Subscriber
	node    int
	rung    chan struct{} // holds a token if the hub woke it
	bytes   []byte
	id      string
	over    bool // it was told that nothing will come
	ended   bool // so was its stream, by its end
	seen    []string
	at      event.Position // everything up to here was delivered, or is excused
	opening event.Cursor
	cover   map[event.Topic]event.Position // said to be lost up to here, of a topic or a selector
}

// Wake implements hub.Waker.
func (c *guest) Wake(*hub.Subscriber) {
	select {
	case c.rung <- struct{}{}:
	default:
	}
}

// open opens a stream on a node, unless that says that nothing will come.
func (c *guest) open(node int, start hub.Start) error {
	c.node = node
	h, r := c.w.store.node(node), request(start, c.names...)
	if c.over = h.Over(r); c.over {
		return nil
	}
	sub, err := h.Subscribe(r, c)
	if err != nil {
		return err
	}
	c.sub, c.bytes, c.id = sub, nil, sub.Opening().ID
	return nil
}

// opened checks whether it was right to say that nothing will come.
func (c *guest) opened(t *rapid.T, start hub.Start) {
	c.seen = append(c.seen, fmt.Sprintf("-- %+v on %d", start, c.node))
	if !c.over {
		return
	}
	r := request(start, c.names...)
	c.check(t, len(r.Selectors) == 0, "over, with a selector")
	c.allOver(t, r.Topics)
}

func (c *guest) connect(t *rapid.T, start hub.Start) {
	if err := c.open(drawNode(t), start); err != nil {
		t.Fatal(err)
	}
	c.opened(t, start)
}

func (c *guest) close() {
	if c.sub != nil {
		c.sub.Close()
		c.sub, c.ended = nil, false
	}
}

func (c *guest) take(max int) hub.State {
	blocks, state := c.sub.Take(nil, max)
	c.bytes = append(c.bytes, bytes.Join(blocks, nil)...)
	c.ended = state == hub.Ended
	return state
}

// hear reads what was taken, and closes a stream that has ended. That is to be
// done at once: its topics may live again later.
func (c *guest) hear(t *rapid.T) {
	if c.read(t); !c.ended {
		return
	}
	c.check(t, c.sub.Complete() && len(c.topics()) == len(c.names), "it ended by itself")
	c.allOver(t, c.topics())
	c.close()
}

// finish has the client come to the end. A node may have to ask before it knows that
// all topics are over: then a stream begins, and the next time there is none.
func (c *guest) finish(t *rapid.T) {
	ends := len(c.topics()) == len(c.names) &&
		!slices.ContainsFunc(c.topics(), func(topic event.Topic) bool { return !c.toldOfEnd(t, topic) })
	more := c.w.store.patience(c.rung)
	for range 3 {
		if c.sub == nil && !c.over {
			c.connect(t, hub.Start{Cursor: c.id})
		}
		for c.sub != nil {
			if c.settle(t); c.sub != nil && (!ends || !more()) {
				c.check(t, !ends, "it is not over")
				return
			}
		}
	}
	c.check(t, c.over, "it ends again and again")
}

// topics returns what the client asked for besides selectors.
func (c *guest) topics() (list []event.Topic) {
	for _, name := range c.names {
		if !strings.Contains(name, "*") {
			list = append(list, event.Topic(name))
		}
	}
	return list
}

// allOver checks that the topics have ended, and that the client has everything of
// them. What had ended before a burst may have lived again in it.
func (c *guest) allOver(t *rapid.T, topics []event.Topic) {
	again := false
	for _, topic := range topics {
		c.check(t, c.w.isOver(topic) || c.w.over[topic], "it ended, %s did not: %s", topic, c.w.tell(topic))
		again = again || c.w.over[topic]
	}
	if !again {
		c.passed(t, endOfTime)
	}
}

// settle has the client catch up with what all nodes know.
func (c *guest) settle(t *rapid.T) {
	more := c.w.store.patience(c.rung)
	for {
		state := c.take(300)
		c.hear(t)
		switch state {
		case hub.More:
			more = c.w.store.patience(c.rung)
		case hub.Behind:
			c.check(t, more(), "it waits in vain")
		case hub.Idle:
			c.passed(t, endOfTime)
			return
		case hub.Ended:
			return
		}
	}
}

func (c *guest) read(t *rapid.T) {
	for {
		block, rest, whole := bytes.Cut(c.bytes, []byte("\n\n"))
		if !whole {
			return
		}
		c.bytes = rest
		got, err := sse.NewDecoder(bytes.NewReader(append(block, "\n\n"...)), 1<<20).Next()
		if err != nil {
			t.Fatal(err)
		}
		if got.Name == hub.GapEvent {
			c.gap(t, got)
		} else {
			c.event(t, got)
		}
		if got.ID != "" {
			c.id = got.ID
		}
	}
}

func (c *guest) event(t *rapid.T, got sse.Event) {
	cursor, err := event.ParseCursor(got.ID)
	c.check(t, err == nil, "id %q", got.ID)
	for _, e := range c.w.events {
		if e.Position != cursor.Position {
			continue
		}
		c.seen = append(c.seen, fmt.Sprintf("%v of %s %s: %s", e.Position, e.Topic, e.Key, got.Data))
		c.check(t, len(c.matching(e.Topic)) > 0, "%s was not asked for", e.Topic)
		c.check(t, got.Data == e.Data.Text && (got.Name == event.EndName) == (e.End != ""), "%v is %+v", got, e)
		c.check(t, e.Position.After(c.at), "%v stands behind %v", e.Position, c.at)
		c.check(t, e.Kind != event.KindEphemeral || e.Position.After(c.opening.Opened), "%v passed before it came", e.Position)
		c.passed(t, e.Position)
		c.at = e.Position
		return
	}
	c.check(t, false, "nothing stands at %v: %q", cursor.Position, got.Data)
}

func (c *guest) gap(t *rapid.T, got sse.Event) {
	var n hub.GapNotice
	if err := json.Unmarshal([]byte(got.Data), &n); err != nil {
		t.Fatal(err)
	}
	cursor, err := event.ParseCursor(n.ResumedAt)
	c.check(t, err == nil, "gap %s", got.Data)
	p := cursor.Position
	c.seen = append(c.seen, fmt.Sprintf("gap of %s up to %v: %s", n.Topic, p, n.Reason))
	c.check(t, strings.Contains(string(n.Topic), "*") || c.w.small.Rules.Of(n.Topic).Kind != event.KindEphemeral, "a gap of an ephemeral topic")
	c.check(t, n.Reason == event.Trimmed || n.Reason == event.Expired || n.Reason == event.Overrun, "gap %s", got.Data)
	lost := time.Since(c.at.Time()) >= c.w.limits.Age // something may be forgotten, and what followed trimmed
	kept, o := c.w.kept(t, n.Topic), c.opening
	if p == o.Opened && (o.Last > 0 || o.Tables) {
		lost = true // what is lost reaches beyond: nobody knows how much of it lay within
	}
	for _, e := range c.w.events {
		if e.Topic == n.Topic && e.Position.After(c.at) && !e.Position.After(p) {
			c.check(t, e.Kind == event.KindLatest || !kept[e.Position], "gap up to %v, but %v is there", p, e.Position)
			lost = lost || !kept[e.Position]
		}
	}
	c.check(t, lost, "gap %s of nothing", got.Data)
	c.cover[n.Topic] = event.Latest(p, c.cover[n.Topic])
	if got.ID != "" {
		c.passed(t, p)
		c.at = event.Latest(c.at, p)
	}
}

// matching returns the names by which the client asked for the topic.
func (c *guest) matching(topic event.Topic) (list []event.Topic) {
	r := request(hub.Start{}, c.names...)
	for _, name := range r.Topics {
		if name == topic {
			list = append(list, name)
		}
	}
	for _, match := range r.Selectors {
		if match.Match(topic) {
			list = append(list, event.Topic(match.String()))
		}
	}
	return list
}

// passed checks that nothing was passed over on the way to p.
func (c *guest) passed(t *rapid.T, p event.Position) {
	kept := map[event.Topic]map[event.Position]bool{}
	for _, e := range c.w.events {
		if !e.Position.After(c.at) || !p.After(e.Position) || len(c.matching(e.Topic)) == 0 ||
			e.Kind == event.KindEphemeral || c.w.superseded(e) || c.covered(e) {
			continue
		}
		if kept[e.Topic] == nil {
			kept[e.Topic] = c.w.kept(t, e.Topic)
		}
		o := c.opening
		if replay := !e.Position.After(o.Opened); replay && (!kept[e.Topic][e.Position] ||
			o.Tables && e.Kind != event.KindLatest || o.Last > 0 && c.w.later(e, o.Opened) >= o.Last) {
			continue
		}
		c.check(t, false, "%v of %s (%s) is missing on the way to %v; kept: %v", e.Position, e.Topic, e.Data.Text, p, kept[e.Topic][e.Position])
	}
}

func (c *guest) covered(e event.Event) bool {
	for _, name := range append(c.matching(e.Topic), e.Topic) {
		if !e.Position.After(c.cover[name]) {
			return true
		}
	}
	return false
}

// toldOfEnd reports whether the topic has ended within what the client asked for.
func (c *guest) toldOfEnd(t *rapid.T, topic event.Topic) bool {
	for _, e := range c.w.events {
		if e.Topic == topic && e.End != "" && c.w.isOver(topic) && c.w.kept(t, topic)[e.Position] {
			return e.Position.After(c.opening.Opened) && e.Position.After(c.opening.Position)
		}
	}
	return false
}

func (c *guest) check(t *rapid.T, ok bool, format string, args ...any) {
	if !ok {
		t.Fatalf("a client of %v, from %+v, that saw:\n%s\n%s", c.names, c.opening, strings.Join(c.seen, "\n"), fmt.Sprintf(format, args...))
	}
}
