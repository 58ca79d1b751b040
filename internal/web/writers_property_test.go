package web_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
)

// TestPromisesOfWriters has clients go from node to node, each with a writer of its
// own, cut themselves off wherever they are, and leave unread as much as they like:
// over real sockets each gets every event once, in order.
func TestPromisesOfWriters(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	t.Cleanup(bus.Close)
	var nodes []*node
	for _, w := range nodetest.Writers() {
		n := startNode(t, nodetest.Options{Over: bus, Stream: stream.Options{Writer: w}})
		<-n.Hub.Ready() // before, it sends clients away
		nodes = append(nodes, n)
	}
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		p := &passage{t: t, nodes: nodes, topic: fmt.Sprint("run.", runs)}
		for range rapid.IntRange(1, 4).Draw(r, "clients") {
			p.clients = append(p.clients, &passenger{})
		}
		for _, c := range p.clients {
			p.come(r, c)
		}
		r.Repeat(map[string]func(*rapid.T){
			"publish": p.publish,
			"read": func(r *rapid.T) {
				if c := p.draw(r); c.stream != nil && c.seen < len(p.published) {
					p.read(c, rapid.IntRange(1, len(p.published)-c.seen).Draw(r, "events"))
				}
			},
			"leave": func(r *rapid.T) { p.draw(r).leave() },
			"come": func(r *rapid.T) {
				if c := p.draw(r); c.stream == nil {
					p.come(r, c)
				}
			},
			"": func(*rapid.T) {},
		})
		for _, c := range p.clients {
			if c.stream == nil {
				p.come(r, c)
			}
			p.read(c, len(p.published)-c.seen)
			c.leave()
		}
	})
}

// passage is what happens to one topic.
type passage struct {
	t         *testing.T
	nodes     []*node
	topic     string
	published []string
	bytes     int
	clients   []*passenger
}

// passenger is one of its clients.
type passenger struct {
	stream *listener // nil: it is away
	seen   int       // of what was published
	cursor string
}

func (p *passage) draw(r *rapid.T) *passenger {
	return p.clients[rapid.IntRange(0, len(p.clients)-1).Draw(r, "client")]
}

// publish publishes a batch, at times more than a socket takes.
func (p *passage) publish(r *rapid.T) {
	const kept = 1 << 20 // of a topic, so that the bus has room for a thousand
	size, messages := rapid.SampledFrom([]int{1, 100, 10_000, 100_000}).Draw(r, "size"), rapid.IntRange(1, 10).Draw(r, "messages")
	if p.bytes += size * messages; p.bytes > kept {
		return
	}
	var batch []event.Message
	for range messages {
		text := fmt.Sprint(len(p.published), " ", strings.Repeat("x", size))
		p.published = append(p.published, text)
		batch = append(batch, event.Message{Topic: event.Topic(p.topic), Data: event.Data{Text: text}})
	}
	if _, err := p.nodes[0].Bus.Publish(p.t.Context(), batch); err != nil {
		p.t.Fatal(err)
	}
}

// come opens a stream at any node, from the client's cursor if it has one, else from
// the beginning.
func (p *passage) come(r *rapid.T, c *passenger) {
	n := p.nodes[rapid.IntRange(0, len(p.nodes)-1).Draw(r, "node")]
	if c.cursor == "" {
		c.stream = n.open(p.t, "?since=all&topic="+p.topic)
	} else {
		c.stream = n.open(p.t, "?topic="+p.topic, "Last-Event-ID: "+c.cursor)
	}
	c.cursor = c.stream.opened(c.cursor != "")
}

// read takes as many events, each of which must be the next one.
func (p *passage) read(c *passenger, events int) {
	c.stream.expect(p.published[c.seen : c.seen+events]...)
	c.seen += events
	c.cursor = c.stream.events.LastID()
}

// leave breaks the connection off, whatever is under way on it.
func (c *passenger) leave() {
	if c.stream != nil {
		c.cursor, c.stream = c.stream.close(), nil
	}
}
