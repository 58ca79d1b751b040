package hub_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

// A return in the middle of an opening replay: what was trimmed meanwhile is said.
func TestLossInAReplayIsSaid(t *testing.T) {
	t.Parallel()
	for _, start := range []hub.Start{{All: true}, {Last: 5}} {
		synctest.Test(t, func(t *testing.T) {
			bus := membus.New(membus.Options{Retention: event.Retention{Messages: 5, Bytes: 1 << 20, Age: time.Hour}})
			h, end := run(t, bus, hub.Options{LogFrames: 1})
			defer end()
			send(t, bus, "a", "1", "2", "3", "4", "5")
			s := subscribe(t, h, &bell{}, start, "a")
			s.Take(nil, 1)
			synctest.Wait()
			blocks, _ := s.Take(nil, 1)
			if text := string(bytes.Join(blocks, nil)); !strings.Contains(text, "data: 1") {
				t.Fatal(text)
			}
			id := s.Cursor()
			s.Close()
			send(t, bus, "a", "6", "7", "8") // 1, 2, 3 are trimmed
			time.Sleep(time.Minute)          // no page is shared any more
			s = subscribe(t, h, &bell{}, hub.Start{Cursor: id}, "a")
			defer s.Close()
			var text string
			for range 10 {
				blocks, _ := s.Take(nil, 1000)
				text += string(bytes.Join(blocks, nil))
				synctest.Wait()
			}
			if !strings.Contains(text, "data: 4") {
				t.Fatalf("%+v: got %s", start, text)
			}
			if strings.Contains(text, "data: 2") {
				t.Fatalf("still there: %s", text)
			}
			if !strings.Contains(text, "hub.gap") {
				t.Errorf("%+v: after 1 came 4, and nothing was said of 2 and 3", start)
			}
		})
	}
}

// The store has trimmed what a node that lags behind it still has: a stream that
// begins with the last events tells of no gap where the node goes on with them.
func TestTailOfWhatTheLogStillHas(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		b.publish("a", "0")
		b.publish("b", "0")
		first := subscribe(t, h, &bell{}, hub.Start{}, "a", "b")
		defer first.Close()
		b.publish("b", "x")
		trimmed := b.publish("a", "1", "2")[1].Position
		b.mu.Lock()
		b.kept["a"] = nil
		b.gaps["a"] = []event.Gap{{Position: trimmed, Since: event.Position{MS: 2000}, Reason: event.Trimmed}}
		b.mu.Unlock()
		s := subscribe(t, h, &bell{}, hub.Start{Last: 5}, "a", "b")
		defer s.Close()
		var seen string
		for range 8 {
			seen += takeOne(s)
		}
		if strings.Contains(seen, `"topic":"a"`) && strings.Contains(seen, "data: 2") {
			t.Errorf("a gap, and then what it said is gone:\n%s", seen)
		}
		if !strings.Contains(seen, "data: x") || !strings.Contains(seen, "data: 2") && !strings.Contains(seen, `"topic":"a"`) {
			t.Errorf("something is missing:\n%s", seen)
		}
	})
}

// lagging is a bus whose feed the test brings by hand, behind the store.
type lagging struct {
	*membus.Bus
	sink chan event.Sink
}

func (b *lagging) Run(ctx context.Context, sink event.Sink) error {
	c, _ := b.Clock(ctx)
	sink.Feed(event.Stretch{Clock: c})
	b.sink <- sink
	<-ctx.Done()
	return ctx.Err()
}

func texts(s *hub.Subscriber) string {
	var text string
	for empty := 0; empty < 10; {
		blocks, _ := s.Take(nil, 1000)
		if text += string(bytes.Join(blocks, nil)); len(blocks) > 0 {
			empty = 0
		}
		empty++
		synctest.Wait()
	}
	return text
}

// The stretches of the feed have a hole: what was lost there was trimmed
// before the connection was back.
func TestHoleInTheFeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &lagging{membus.New(membus.Options{Retention: event.Retention{Messages: 2, Bytes: 1 << 20, Age: time.Hour}}), make(chan event.Sink, 1)}
		h, end := run(t, bus, hub.Options{})
		defer end()
		sink := <-bus.sink
		s := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer s.Close()
		before, _ := bus.Clock(t.Context())
		send(t, bus, "a", "1", "2", "3", "4", "5")
		after, _ := bus.Clock(t.Context())
		page, _ := bus.History(t.Context(), event.Range{Topic: "a", After: before.Position, Upto: after.Position})
		sink.Feed(event.Stretch{Clock: after, Events: page.Events})
		if text := texts(s); !strings.Contains(text, "hub.gap") {
			t.Errorf("1 to 3 are missing, and nothing is said: %s", text)
		}
	})
}

// A stream that opened on a node ahead of this one, with last: the return
// brings no more than was asked for.
func TestLastAheadOfTheWatermark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &lagging{membus.New(membus.Options{}), make(chan event.Sink, 1)}
		h, end := run(t, bus, hub.Options{})
		defer end()
		sink := <-bus.sink
		keep := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer keep.Close()
		feed := func(texts ...string) event.Clock {
			before, _ := bus.Clock(t.Context())
			send(t, bus, "a", texts...)
			after, _ := bus.Clock(t.Context())
			page, _ := bus.History(t.Context(), event.Range{Topic: "a", After: before.Position, Upto: after.Position})
			sink.Feed(event.Stretch{Clock: after, Events: page.Events})
			return after
		}
		feed("1", "2", "3")
		before, _ := bus.Clock(t.Context())
		send(t, bus, "a", "4", "5", "6") // the feed does not have them yet
		after, _ := bus.Clock(t.Context())
		s := subscribe(t, h, &bell{}, hub.Start{Cursor: event.Cursor{Epoch: after.Epoch, Opened: after.Position, Last: 2}.String()}, "a")
		defer s.Close()
		synctest.Wait()
		text := texts(s)
		page, _ := bus.History(t.Context(), event.Range{Topic: "a", After: before.Position, Upto: after.Position})
		sink.Feed(event.Stretch{Clock: after, Events: page.Events})
		text += texts(s)
		if n := strings.Count(text, "data: "); n != 2 {
			t.Errorf("last=2 brought %d: %s", n, text)
		}
	})
}

// secondLife is a store that began a new epoch, of which the events up to end
// are older.
type secondLife struct {
	*membus.Bus
	old event.Epoch
	end event.Position
}

func (b *secondLife) Clock(ctx context.Context) (event.Clock, error) {
	c, err := b.Bus.Clock(ctx)
	c.Ended, c.Began = map[event.Epoch]event.Position{b.old: b.end}, b.end
	return c, err
}

func (b *secondLife) History(ctx context.Context, r event.Range) (event.Page, error) {
	p, err := b.Bus.History(ctx, r)
	for i := range p.Events {
		if !p.Events[i].Position.After(b.end) {
			p.Events[i].Epoch = b.old
		}
	}
	return p, err
}

// A replay that began after a change of epoch goes on as the same replay when
// the client returns with an event of the epoch before.
func TestReplayOverAnEpoch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &secondLife{Bus: membus.New(membus.Options{})}
		c, _ := bus.Bus.Clock(t.Context())
		bus.old = c.Epoch
		bus.old.Nonce++
		send(t, bus, "b", "b1")
		send(t, bus, "a", "a1", "a2")
		send(t, bus, "b", "b2", "b3")
		c, _ = bus.Bus.Clock(t.Context())
		bus.end = c.Position
		send(t, bus, "b", "b4", "b5", "b6")
		h, end := run(t, bus, hub.Options{})
		defer end()
		s := subscribe(t, h, &bell{}, hub.Start{Last: 2}, "a", "b")
		s.Take(nil, 1)
		synctest.Wait()
		blocks, _ := s.Take(nil, 1)
		text := string(bytes.Join(blocks, nil))
		if !strings.Contains(text, "a1") {
			t.Fatal(text)
		}
		id := s.Cursor()
		s.Close()
		s = subscribe(t, h, &bell{}, hub.Start{Cursor: id}, "a", "b")
		defer s.Close()
		s.Take(nil, 1)
		synctest.Wait()
		text += texts(s)
		if strings.Contains(text, "data: b2") || strings.Contains(text, "data: b4") {
			t.Errorf("last=2 brought more: %s", text)
		}
	})
}
