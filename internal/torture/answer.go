package torture

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/sse"
)

// answer is a topic that is begun, written to by one producer and ended, as the
// answers of chats are, with a reader that begins at each hub.
type answer struct {
	run      *Run
	topic    event.Topic
	producer *producer
	readers  []*reader
}

// answers has so many producers begin, each with a lease of its topic. They are
// at the base of a URL; empty: they come by the edge.
func (r *Run) answers(count int, base string, lease time.Duration) (list []*answer) {
	r.T.Helper()
	if base == "" {
		base = "http://" + r.Edge.Addr
	}
	start := r.here()
	for range count {
		a := &answer{run: r, topic: r.found.name("answer")}
		for i := range r.Hubs {
			a.readers = append(a.readers, r.readAnswer(a.topic, i, start))
		}
		a.producer = newProducer(r, base, a.topic, lease, func(format string, args ...any) {
			r.found.odd("the producer of %s: %s", a.topic, fmt.Sprintf(format, args...))
		})
		list = append(list, a)
	}
	r.Await("all producers are heard", func() bool {
		for _, a := range list {
			if a.heard() < 3 {
				return false
			}
		}
		return true
	})
	return list
}

// heard returns how many events the slowest of the readers has.
func (a *answer) heard() (least int) {
	for i, x := range a.readers {
		if n := len(x.list()); i == 0 || n < least {
			least = n
		}
	}
	return least
}

// over reports whether all readers were told that nothing follows.
func (a *answer) over() bool {
	for _, x := range a.readers {
		select {
		case <-x.over:
		default:
			return false
		}
	}
	return true
}

// note is one thing that a reader was sent of a topic.
type note struct {
	at   event.Cursor
	line int          // -1: it is none
	end  event.Status // of an end
}

// isGap reports whether it says that something is gone.
func (n note) isGap() bool { return n.line < 0 && n.end == "" }

func (n note) String() string {
	what := fmt.Sprint("line ", n.line)
	switch {
	case n.isGap():
		what = "a gap"
	case n.end != "":
		what = fmt.Sprint("the end, ", n.end, ",")
	}
	return fmt.Sprintf("%s at %v of epoch %d", what, n.at.Position, n.at.Epoch.Number)
}

// reader is who reads an answer: a browser, in effect.
type reader struct {
	name string
	over chan struct{} // closed when it was answered 204

	mu    sync.Mutex
	notes []note
}

// readAnswer reads the topic from a cursor on, first at the hub with the index.
func (r *Run) readAnswer(topic event.Topic, hub int, start string) *reader {
	x := &reader{name: fmt.Sprintf("reader %d of %s", hub, topic), over: make(chan struct{})}
	odd := func(format string, args ...any) { r.found.odd("%s: %s", x.name, fmt.Sprintf(format, args...)) }
	source := &eventSource{client: r.plain(), hubs: r.Hubs, turn: hub, query: "topic=" + url.QueryEscape(string(topic)), last: start, odd: odd,
		take: func(e sse.Event) {
			switch e.Name {
			case "message", "hub.end", "hub.gap":
				x.add(e.ID, e.Name, []byte(e.Data), odd)
			}
		}}
	ctx, cancel := context.WithCancel(r.T.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if source.run(ctx); ctx.Err() == nil {
			close(x.over)
		}
	}()
	r.T.Cleanup(func() { cancel(); <-done })
	return x
}

// add notes an event.
func (x *reader) add(id, name string, data []byte, odd func(string, ...any)) {
	n := note{line: -1}
	at, err := event.ParseCursor(id)
	n.at = at
	switch name {
	case "hub.gap":
	case "hub.end":
		n.end = statusIn(data)
		if n.end == "" {
			odd("an end says no status: %s", data)
			return
		}
	default:
		if n.line, err = strconv.Atoi(string(data)); err != nil {
			odd("was sent what nobody published: %.100q", data)
			return
		}
	}
	if err != nil {
		odd("the id %q: %v", id, err)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.notes = append(x.notes, n)
}

// list returns what the reader was sent.
func (x *reader) list() []note {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.notes[:len(x.notes):len(x.notes)]
}

// plain returns an HTTP client that does nothing of its own, for a case's own
// requests. It ends with the test.
func (r *Run) plain() *http.Client {
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	r.T.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
