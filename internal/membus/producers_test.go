package membus_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/membus"
)

func numbered(topic event.Topic, producer string, n int64) []event.Message {
	m := text(topic, fmt.Sprint(n))
	m.Producer, m.Seq = producer, n
	return []event.Message{m}
}

// A producer is remembered for a day from its last message; a repeated one
// does not count, and neither do those of others.
func TestProducersAreForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		option, want time.Duration
	}{"default": {0, 24 * time.Hour}, "set": {time.Minute, time.Minute}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, membus.Options{RememberProducers: c.option}, func(t *testing.T, bus *membus.Bus) {
				duplicate := func(n int64) bool {
					t.Helper()
					r, err := bus.Publish(t.Context(), numbered("a", "p", n))
					if err != nil {
						t.Fatal(err)
					}
					return r[0].Duplicate
				}
				for n := range int64(3) {
					if duplicate(5 + n) {
						t.Errorf("%d is a duplicate", 5+n)
					}
					if _, err := bus.Publish(t.Context(), numbered("a", fmt.Sprint("other ", n), 1)); err != nil {
						t.Fatal(err)
					}
					for _, wait := range []time.Duration{0, c.want / 2, c.want/2 - time.Millisecond} {
						time.Sleep(wait)
						if !duplicate(5+n) || !duplicate(1) {
							t.Errorf("%d, or an older one, is stored again", 5+n)
						}
					}
				}
				// One that is heard of again and again keeps no other one.
				if r, err := bus.Publish(t.Context(), numbered("a", "other 0", 1)); err != nil || r[0].Duplicate {
					t.Errorf("another producer, after its time: %+v, %v", r, err)
				}
				time.Sleep(time.Millisecond)
				if duplicate(1) || !duplicate(1) || duplicate(2) {
					t.Errorf("after %v the producer does not begin anew", c.want)
				}
			})
		})
	}
}

// Producers count against the memory, and give it back to the last byte.
// However full it is, one that is known goes on in a topic at its limits, and
// repeats what it did.
func TestProducersTakeMemory(t *testing.T) {
	limits := membus.Options{MaxBytes: 50_000, Retention: event.Retention{Messages: 1}, Beat: 10 * time.Minute}
	inBubble(t, limits, func(t *testing.T, bus *membus.Bus) {
		fillUp := func(prefix string) (taken int) {
			t.Helper()
			for ; taken < 1000; taken++ {
				producer := fmt.Sprintf("%s%03d%s", prefix, taken, strings.Repeat("p", 100))
				if _, err := bus.Publish(t.Context(), numbered("a", producer, 1)); err != nil {
					expectFull(t, err)
					break
				}
			}
			return taken
		}
		first := fillUp("a")
		if first < 80 || first > 120 {
			t.Errorf("50,000 bytes held %d producers", first)
		}
		for n := int64(1); n < 5; n++ {
			r, err := bus.Publish(t.Context(), numbered("a", "a000"+strings.Repeat("p", 100), n))
			if err != nil || r[0].Duplicate != (n == 1) {
				t.Errorf("message %d of a known producer: %+v, %v", n, r, err)
			}
		}
		// What is only repeated needs no room.
		repeated := slices.Repeat(numbered("a", "a000"+strings.Repeat("p", 100), 3), 10)
		if _, err := bus.Publish(t.Context(), repeated); err != nil {
			t.Errorf("a message repeated: %v", err)
		}
		before := stateOf(t, bus)
		batch := append(numbered("a", "a000"+strings.Repeat("p", 100), 5), numbered("a", "too many", 1)...)
		_, err := bus.Publish(t.Context(), batch)
		expectFull(t, err)
		if after := stateOf(t, bus); !after.equal(before) {
			t.Errorf("a refused publish changed %+v into %+v", before, after)
		}
		if r, err := bus.Publish(t.Context(), batch[:1]); err != nil || r[0].Duplicate {
			t.Errorf("after it was refused: %+v, %v", r, err)
		}
		for round := range 5 {
			time.Sleep(25 * time.Hour)
			if again := fillUp(string(rune('b' + round))); again != first {
				t.Fatalf("round %d: room for %d producers, at first for %d", round, again, first)
			}
		}
	})
}
