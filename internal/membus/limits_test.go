package membus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/membus"
)

// nobody is a sink that lets go of all that it is fed.
type nobody struct{}

func (nobody) Feed(event.Stretch)    {}
func (nobody) Topics() []event.Topic { return nil }

// inBubble runs a test over a running bus in time that is the test's own.
func inBubble(t *testing.T, o membus.Options, test func(*testing.T, *membus.Bus)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(o)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- bus.Run(ctx, nobody{}) }()
		test(t, bus)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the feed ended with %v", err)
		}
	})
}

func text(topic event.Topic, data string) event.Message {
	return event.Message{Topic: topic, Data: event.Data{Text: data}}
}

// fill publishes messages to ever new topics, with ever new keys, until the
// bus is full, and returns how many it took.
func fill(t *testing.T, bus *membus.Bus, prefix string) (taken int) {
	t.Helper()
	for ; ; taken++ {
		m := text(event.Topic(fmt.Sprint(prefix, taken%10)), strings.Repeat("x", 1000))
		m.IdempotencyKey = fmt.Sprint(prefix, taken)
		if _, err := bus.Publish(t.Context(), []event.Message{m}); err != nil {
			expectFull(t, err)
			return taken
		}
	}
}

func expectFull(t *testing.T, err error) {
	t.Helper()
	full, ok := errors.AsType[*event.UnavailableError](err)
	if !ok || full.MaybeStored || full.RetryAfter <= 0 || !strings.Contains(full.Error(), "full") {
		t.Fatalf("a full bus says %v", err)
	}
}

type state struct {
	clock  event.Clock
	topics string
}

func stateOf(t *testing.T, bus *membus.Bus) (s state) {
	t.Helper()
	clock, err := bus.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	infos, err := bus.Topics(t.Context(), nil, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return state{event.Clock{Epoch: clock.Epoch, Position: clock.Position, Began: clock.Began}, fmt.Sprintf("%+v", infos)}
}

func (s state) equal(o state) bool {
	return s.clock.Epoch == o.clock.Epoch && s.clock.Position == o.clock.Position && s.topics == o.topics
}

// A full bus refuses, says that nothing is stored, and changes nothing: no
// position is spent, no key remembered, not a part of a batch taken.
func TestAFullBusRefuses(t *testing.T) {
	inBubble(t, membus.Options{MaxBytes: 50_000, Beat: 10 * time.Minute}, func(t *testing.T, bus *membus.Bus) {
		taken := fill(t, bus, "a")
		if taken < 20 || taken > 50 {
			t.Errorf("50,000 bytes held %d messages of 1,000", taken)
		}
		before := stateOf(t, bus)
		keyed := text("fresh", strings.Repeat("x", 10_000))
		keyed.IdempotencyKey = "k"
		for range 100 {
			_, err := bus.Publish(t.Context(), []event.Message{text("a0", "small"), keyed})
			expectFull(t, err)
		}
		if after := stateOf(t, bus); !after.equal(before) {
			t.Errorf("a refused publish changed %+v into %+v", before, after)
		}
		// What still fits is taken.
		if _, err := bus.Publish(t.Context(), []event.Message{text("a0", "small")}); err != nil {
			t.Errorf("a small message: %v", err)
		}
		// The key was not remembered for a message that was not stored.
		time.Sleep(25 * time.Hour)
		other := text("fresh", "other")
		other.IdempotencyKey = "k"
		if r, err := bus.Publish(t.Context(), []event.Message{other}); err != nil || r[0].Duplicate {
			t.Errorf("after all expired: %+v, %v", r, err)
		}
	})
}

// What expires is given back to the last byte: however often the bus fills
// up, it has room for as much again.
func TestMemoryIsGivenBack(t *testing.T) {
	inBubble(t, membus.Options{MaxBytes: 50_000, Beat: 10 * time.Minute}, func(t *testing.T, bus *membus.Bus) {
		first := fill(t, bus, "a")
		for round := range 20 {
			time.Sleep(25 * time.Hour)
			if s := stateOf(t, bus); s.topics != "[]" {
				t.Fatalf("left after a day: %s", s.topics)
			}
			if again := fill(t, bus, string(rune('b'+round))); again != first {
				t.Fatalf("round %d: room for %d messages, at first for %d", round, again, first)
			}
		}
	})
}

// The same where a topic's limits cut it while it is published to.
func TestTrimmedMemoryIsGivenBack(t *testing.T) {
	for name, r := range map[string]event.Retention{"messages": {Messages: 5}, "bytes": {Bytes: 6000}, "age": {Age: 10 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, membus.Options{MaxBytes: 50_000, Retention: r}, func(t *testing.T, bus *membus.Bus) {
				for i := range 1000 {
					if _, err := bus.Publish(t.Context(), []event.Message{text("a", strings.Repeat("x", 1000))}); err != nil {
						t.Fatalf("message %d: %v", i, err)
					}
					time.Sleep(time.Second)
				}
				info, ok, err := bus.Topic(t.Context(), "a")
				if err != nil || !ok || info.Retained < 1 || info.Retained > 11 {
					t.Errorf("%d are kept (%v)", info.Retained, err)
				}
			})
		})
	}
}

// The newest message always stays, however large it is.
func TestTheNewestMessageStays(t *testing.T) {
	inBubble(t, membus.Options{Retention: event.Retention{Bytes: 100}}, func(t *testing.T, bus *membus.Bus) {
		for _, data := range []string{"1", strings.Repeat("x", 1000), "3"} {
			r, err := bus.Publish(t.Context(), []event.Message{text("a", data)})
			if err != nil {
				t.Fatal(err)
			}
			if info, _, err := bus.Topic(t.Context(), "a"); err != nil || info.Retained != 1 || info.First != r[0].Cursor || info.Last != info.First {
				t.Errorf("after %.10q: %+v, %v", data, info, err)
			}
		}
	})
}

// A key is remembered for five minutes from its first use; a retry does not
// renew it, and another message may use it afterwards.
func TestKeysAreForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		option, want time.Duration
	}{"default": {0, 5 * time.Minute}, "set": {time.Minute, time.Minute}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, membus.Options{RememberKeys: c.option}, func(t *testing.T, bus *membus.Bus) {
				m := text("a", "x")
				m.IdempotencyKey = "k"
				other := text("a", "y")
				other.IdempotencyKey = "k"
				first, err := bus.Publish(t.Context(), []event.Message{m})
				if err != nil {
					t.Fatal(err)
				}
				for _, wait := range []time.Duration{0, c.want / 2, c.want/2 - time.Millisecond} {
					time.Sleep(wait)
					if r, err := bus.Publish(t.Context(), []event.Message{m}); err != nil || !r[0].Duplicate || r[0].Cursor != first[0].Cursor {
						t.Errorf("a retry: %+v, %v", r, err)
					}
					if _, err := bus.Publish(t.Context(), []event.Message{other}); !errors.Is(err, event.ErrKeyReused) {
						t.Errorf("another message: %v", err)
					}
				}
				time.Sleep(time.Millisecond)
				if r, err := bus.Publish(t.Context(), []event.Message{other}); err != nil || r[0].Duplicate {
					t.Errorf("another message after %v: %+v, %v", c.want, r, err)
				}
				if _, err := bus.Publish(t.Context(), []event.Message{m}); !errors.Is(err, event.ErrKeyReused) {
					t.Errorf("the first message, whose key is another's now: %v", err)
				}
			})
		})
	}
}

// What a topic keeps expires by age also while nobody publishes or asks.
func TestQuietTopicsExpire(t *testing.T) {
	inBubble(t, membus.Options{Retention: event.Retention{Age: time.Minute}}, func(t *testing.T, bus *membus.Bus) {
		r, err := bus.Publish(t.Context(), []event.Message{text("a", "x")})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		if info, ok, err := bus.Topic(t.Context(), "a"); err != nil || !ok || info.Retained != 1 {
			t.Errorf("before its time: %+v, %v, %v", info, ok, err)
		}
		time.Sleep(3 * time.Second)
		if info, ok, err := bus.Topic(t.Context(), "a"); err != nil || ok {
			t.Errorf("after its time: %+v, %v", info, err)
		}
		// Whoever has seen it all lost nothing; for others it cannot be excluded.
		clock, err := bus.Clock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen := r[0].Cursor.Position
		for after, gaps := range map[event.Position]int{seen: 0, {}: 1} {
			page, err := bus.History(t.Context(), event.Range{Topic: "a", After: after, Upto: clock.Position})
			if err != nil || len(page.Events) > 0 || len(page.Gaps) != gaps || gaps > 0 && page.Gaps[0] != (event.Gap{Position: seen, Since: seen.Add(time.Minute), Reason: event.Expired}) {
				t.Errorf("behind %v: %+v, %v; want %d gaps", after, page, err, gaps)
			}
		}
	})
}

// A publish whose caller has given up already is not stored.
func TestPublishAfterTheCallerGaveUp(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := stateOf(t, bus)
	_, err := bus.Publish(ctx, []event.Message{text("a", "x")})
	if u, ok := errors.AsType[*event.UnavailableError](err); !ok || u.MaybeStored || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if after := stateOf(t, bus); !after.equal(before) {
		t.Errorf("it changed %+v into %+v", before, after)
	}
}
