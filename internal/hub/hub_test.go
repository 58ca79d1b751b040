package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

// troubled is the bus in memory behind a connection that can fail and whose
// history reads are counted.
type troubled struct {
	*membus.Bus
	away  atomic.Bool
	reads atomic.Int32
	slow  time.Duration
}

var errAway = errors.New("the store is away")

func (b *troubled) History(ctx context.Context, r event.Range) (event.Page, error) {
	b.reads.Add(1)
	time.Sleep(b.slow)
	if b.away.Load() {
		return event.Page{}, errAway
	}
	return b.Bus.History(ctx, r)
}

func (b *troubled) Clock(ctx context.Context) (event.Clock, error) {
	if b.away.Load() {
		return event.Clock{}, errAway
	}
	return b.Bus.Clock(ctx)
}

// run runs a hub inside a bubble and returns what ends it.
func run(t *testing.T, bus hub.Bus, o hub.Options) (*hub.Hub, func()) {
	h := hub.New(bus, o)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	<-h.Ready()
	return h, func() { cancel(); running.Wait() }
}

func send(t *testing.T, bus hub.Bus, topic string, texts ...string) []string {
	t.Helper()
	ids := []string{}
	for _, text := range texts {
		r, err := bus.Publish(context.Background(), []event.Message{{Topic: event.Topic(topic), Data: event.Data{Text: text}}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r[0].Cursor.String())
	}
	return ids
}

// bell is a Waker that counts.
type bell struct{ rings atomic.Int32 }

func (b *bell) Wake(*hub.Subscriber) { b.rings.Add(1) }

func subscribe(t *testing.T, h *hub.Hub, w hub.Waker, from hub.Start, topics ...event.Topic) *hub.Subscriber {
	t.Helper()
	s, err := h.Subscribe(hub.Request{Topics: topics, From: from}, w)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOneEncodingForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{})
		h, end := run(t, bus, hub.Options{})
		defer end()
		for _, form := range []hub.Form{hub.Plain, hub.Envelope} {
			var blocks [2][][]byte
			var subs [2]*hub.Subscriber
			for i := range subs {
				var err error
				if subs[i], err = h.Subscribe(hub.Request{Topics: []event.Topic{"a"}, Form: form}, &bell{}); err != nil {
					t.Fatal(err)
				}
				defer subs[i].Close()
			}
			send(t, bus, "a", "x")
			for i, s := range subs {
				blocks[i], _ = s.Take(nil, 1000)
			}
			if len(blocks[0]) != 1 || len(blocks[1]) != 1 || &blocks[0][0][0] != &blocks[1][0][0] {
				t.Errorf("form %d: two subscribers got bytes of their own", form)
			}
		}
	})
}

func TestIdleIsWokenOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{})
		h, end := run(t, bus, hub.Options{})
		defer end()
		var b bell
		s := subscribe(t, h, &b, hub.Start{}, "a", "b")
		defer s.Close()
		if _, state := s.Take(nil, 1000); state != hub.Idle {
			t.Fatalf("state %d", state)
		}
		send(t, bus, "c", "not asked for")
		time.Sleep(10 * time.Second) // beats
		if b.rings.Load() != 0 {
			t.Error("woken for nothing")
		}
		send(t, bus, "a", "1", "2")
		send(t, bus, "b", "3")
		if n := b.rings.Load(); n != 1 {
			t.Errorf("woken %d times before it took", n)
		}
		s.Close()
		if _, state := s.Take(nil, 1000); state != hub.Ended {
			t.Errorf("state %d after the end", state)
		}
		if h.Subscribers("a") != 0 {
			t.Error("still counted")
		}
	})
}

// TestSlowReturn: thousands who come back at once to one topic, with cursors
// that the log does not reach back to, share a few history reads.
func TestSlowReturn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &troubled{Bus: membus.New(membus.Options{}), slow: 5 * time.Millisecond}
		h, end := run(t, bus, hub.Options{LogFrames: 10})
		defer end()
		ids := send(t, bus, "a", strings.Fields(strings.Repeat("x ", 200))...)
		const clients = 2000
		var back sync.WaitGroup
		for range clients {
			from := rand.N(150)
			back.Go(func() {
				w := &signal{make(chan struct{}, 1)}
				s := subscribe(t, h, w, hub.Start{Cursor: ids[from]}, "a")
				defer s.Close()
				got := 0
				for {
					blocks, state := s.Take(nil, 1<<20)
					got += len(blocks)
					if state == hub.Idle {
						break
					}
					if state == hub.Behind {
						<-w.c
					}
				}
				if got != 199-from {
					t.Errorf("%d events behind the cursor, got %d", 199-from, got)
				}
			})
		}
		back.Wait()
		if n := bus.reads.Load(); n > 3 {
			t.Errorf("%d clients cost %d history reads", clients, n)
		}
	})
}

type signal struct{ c chan struct{} }

func (w *signal) Wake(*hub.Subscriber) {
	select {
	case w.c <- struct{}{}:
	default:
	}
}

// TestBusAway: while the bus does not answer, who needs it is held, and served
// when it is back; who does not is served meanwhile.
func TestBusAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &troubled{Bus: membus.New(membus.Options{})}
		h, end := run(t, bus, hub.Options{LogFrames: 2, LogLinger: time.Second})
		defer end()
		ids := send(t, bus, "a", "1", "2", "3", "4", "5")
		bus.away.Store(true)
		var behind, fresh, ahead bell
		old := subscribe(t, h, &behind, hub.Start{Cursor: ids[0]}, "a")
		defer old.Close()
		now := subscribe(t, h, &fresh, hub.Start{}, "a")
		defer now.Close()
		future, err := event.ParseCursor(ids[0])
		if err != nil {
			t.Fatal(err)
		}
		future.Position.MS += 1000_000
		beyond := subscribe(t, h, &ahead, hub.Start{Cursor: future.String()}, "a")
		defer beyond.Close()
		for _, s := range []*hub.Subscriber{old, beyond} {
			if blocks, state := s.Take(nil, 1000); state != hub.Behind || len(blocks) > 0 {
				t.Fatalf("state %d, %q", state, blocks)
			}
		}
		now.Take(nil, 1000)
		time.Sleep(20 * time.Second)
		send(t, bus, "a", "6")
		if blocks, _ := now.Take(nil, 1000); len(blocks) != 1 {
			t.Errorf("who is up to date got %q", blocks)
		}
		if behind.rings.Load()+ahead.rings.Load() > 0 {
			t.Error("woken before the store was back")
		}
		if old.Cursor() != ids[0] || beyond.Cursor() != future.String() {
			t.Error("a held stream's cursor moved")
		}
		bus.away.Store(false)
		time.Sleep(2 * time.Second)
		blocks, _ := old.Take(nil, 1000)
		if blocks, _ = old.Take(blocks, 1000); len(blocks) != 5 {
			t.Errorf("who was held got %q", blocks)
		}
		if blocks, _ := beyond.Take(nil, 1000); len(blocks) != 1 || !bytes.Contains(blocks[0], []byte(`"bad_cursor"`)) {
			t.Errorf("a cursor beyond the clock got %q", blocks)
		}
	})
}

// TestLogsAreBounded: a log that nobody listens to is dropped, and what was
// published in the meantime comes from the history.
func TestLogsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &troubled{Bus: membus.New(membus.Options{})}
		h, end := run(t, bus, hub.Options{LogLinger: time.Minute})
		defer end()
		for _, c := range []struct {
			away  time.Duration
			reads int32
		}{{30 * time.Second, 0}, {3 * time.Minute, 1}} {
			topic := fmt.Sprint("t", c.reads)
			s := subscribe(t, h, &bell{}, hub.Start{}, event.Topic(topic))
			cursor := s.Cursor()
			s.Close()
			send(t, bus, topic, "1", "2")
			time.Sleep(c.away)
			s = subscribe(t, h, &bell{}, hub.Start{Cursor: cursor}, event.Topic(topic))
			blocks, state := s.Take(nil, 1000)
			if state == hub.Behind {
				synctest.Wait()
				blocks, _ = s.Take(nil, 1000)
			}
			s.Close()
			if n := bus.reads.Load(); len(blocks) != 2 || n != c.reads {
				t.Errorf("away for %v: %d events, %d history reads", c.away, len(blocks), n)
			}
		}
	})
}
