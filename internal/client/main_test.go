package client_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// lingering is where net/http waits for half a second before it closes a
// connection whose body it has not read: it ends by itself.
const lingering = "net/http.(*conn).closeWriteAndWait"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(lingering)) }

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

func newClient(t *testing.T, url string, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func text(topic, data string) event.Message {
	return event.Message{Topic: event.Topic(topic), Data: event.Data{Text: data}}
}

func publish(t *testing.T, c *client.Client, messages ...event.Message) {
	t.Helper()
	for _, m := range messages {
		if _, err := c.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// listening is a call of Listen in the background.
type listening struct {
	events chan client.Event
	gaps   chan client.Gap
	ends   chan client.End
	states chan client.State
	stop   func() (cursor string, err error) // ends it and returns its answer
	done   chan struct{}
}

func listen(t *testing.T, c *client.Client, o client.ListenOptions) *listening {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	l := &listening{events: make(chan client.Event, 10_000), gaps: make(chan client.Gap, 100),
		ends: make(chan client.End, 100), states: make(chan client.State, 1000), done: make(chan struct{})}
	var cursor string
	var err error
	go func() {
		defer close(l.done)
		cursor, err = c.Listen(ctx, o, client.Handler{
			Event: func(e client.Event) error { l.events <- e; return nil },
			Gap:   func(g client.Gap) error { l.gaps <- g; return nil },
			End:   func(e client.End) error { l.ends <- e; return nil },
			State: func(s client.State) { l.states <- s },
		})
	}()
	l.stop = sync.OnceValues(func() (string, error) {
		cancel()
		<-l.done
		return cursor, err
	})
	t.Cleanup(func() { _, _ = l.stop() })
	return l
}

// next returns what comes first from a channel.
func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		var none T
		t.Fatalf("no %T came", none)
		return none
	}
}

// connected waits for the next opening of the stream.
func (l *listening) connected(t *testing.T) client.State {
	t.Helper()
	for {
		if s := next(t, l.states); s.Connected {
			return s
		}
	}
}

// data returns an event's data as it was published.
func data(t *testing.T, e client.Event) event.Data {
	t.Helper()
	d, err := e.Text()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantNumbers checks that the next events carry the numbers from first on.
func (l *listening) wantNumbers(t *testing.T, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		if got := data(t, next(t, l.events)).Text; got != fmt.Sprint(i) {
			t.Fatalf("got event %s, want %d", got, i)
		}
	}
}
