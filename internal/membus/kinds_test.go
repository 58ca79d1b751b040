package membus_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/membus"
)

// rules has tables of a few keys below "table", and ephemeral topics.
func rules(t *testing.T) event.Rules {
	t.Helper()
	var selectors [2]event.Selector
	for i, text := range []string{"table.**", "ephemeral.**"} {
		s, err := event.ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		selectors[i] = s
	}
	return event.Rules{{Selector: selectors[0], Kind: event.KindLatest, Keys: 10}, {Selector: selectors[1], Kind: event.KindEphemeral}}
}

func cell(topic event.Topic, key int, data string) event.Message {
	m := text(topic, data)
	m.Key = fmt.Sprint(key)
	return m
}

func deletion(topic event.Topic, key int) event.Message {
	m := cell(topic, key, "null")
	m.Data.JSON = true
	return m
}

func must(t *testing.T, bus *membus.Bus, messages ...event.Message) []event.Receipt {
	t.Helper()
	r, err := bus.Publish(t.Context(), messages)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// However often keys come and go, tables take the same memory, and give it
// back to the last byte, deletions, ends and leases included.
func TestMemoryOfTablesIsGivenBack(t *testing.T) {
	inBubble(t, membus.Options{Rules: rules(t), MaxBytes: 50_000, Beat: 10 * time.Minute}, func(t *testing.T, bus *membus.Bus) {
		empty := bus.Stats().Bytes
		for round := range 3 {
			for i := range 1000 {
				m := cell("table.a", i%13, strings.Repeat("x", i%700))
				if i%13 > 5 {
					m = deletion("table.a", i%13+i%7)
				}
				if i%100 == 0 {
					m.Lease = time.Duration(1+i%3) * time.Hour
				}
				must(t, bus, m, text("ephemeral.a", "x"))
			}
			if info, _, err := bus.Topic(t.Context(), "table.a"); err != nil || info.Retained > 20 {
				t.Fatalf("round %d: %+v, %v", round, info, err)
			}
			full := bus.Stats().Bytes
			must(t, bus, event.Message{Topic: "table.a", End: event.Failed, EndOnly: true})
			if bus.Stats().Bytes >= full+1 {
				t.Errorf("round %d: the end of a leased topic took %d bytes that were not reserved", round, bus.Stats().Bytes-full)
			}
			time.Sleep(25 * time.Hour)
			if left := bus.Stats().Bytes; left != empty {
				t.Fatalf("round %d: %d bytes are left, at first there were %d", round, left, empty)
			}
		}
	})
}

// A full bus still takes what makes no topic larger, and ends what its leases
// say, within the memory.
func TestAFullBusEndsItsLeases(t *testing.T) {
	inBubble(t, membus.Options{Rules: rules(t), MaxBytes: 50_000}, func(t *testing.T, bus *membus.Bus) {
		must(t, bus, cell("table.a", 1, strings.Repeat("x", 1000)))
		var topics int
		for ; ; topics++ {
			m := text(event.Topic(fmt.Sprint("chat.", topics)), "x")
			m.Lease = time.Minute
			if _, err := bus.Publish(t.Context(), []event.Message{m}); err != nil {
				expectFull(t, err)
				break
			}
		}
		if topics < 20 {
			t.Errorf("50,000 bytes held %d topics", topics)
		}
		for range 100 {
			must(t, bus, cell("table.a", 1, strings.Repeat("y", 1000)))
		}
		time.Sleep(62 * time.Second)
		for i := range topics {
			if info, _, err := bus.Topic(t.Context(), event.Topic(fmt.Sprint("chat.", i))); err != nil || info.Status != event.ProducerLost {
				t.Fatalf("topic %d of %d: %+v, %v", i, topics, info, err)
			}
		}
		if s := bus.Stats(); s.Bytes > s.MaxBytes {
			t.Errorf("%d bytes of at most %d", s.Bytes, s.MaxBytes)
		}
	})
}

// A table that is refused something changes nothing.
func TestAFullTableChangesNothing(t *testing.T) {
	inBubble(t, membus.Options{Rules: rules(t), Beat: time.Hour}, func(t *testing.T, bus *membus.Bus) {
		for i := range 10 {
			must(t, bus, cell("table.a", i, "x"))
		}
		before, bytes := stateOf(t, bus), bus.Stats().Bytes
		keyed, numbered := cell("table.a", 1, "y"), cell("table.a", 2, "y")
		keyed.IdempotencyKey, numbered.Producer = "k", "p"
		for range 10 {
			_, err := bus.Publish(t.Context(), []event.Message{text("b", "x"), keyed, numbered, deletion("table.b", 1), cell("table.a", 11, "x")})
			if full, ok := errors.AsType[*event.TableFullError](err); !ok || full.Limit != "10 keys" {
				t.Fatalf("got %v", err)
			}
		}
		if after := stateOf(t, bus); !after.equal(before) || bus.Stats().Bytes != bytes {
			t.Errorf("%+v became %+v, %d bytes %d", before, after, bytes, bus.Stats().Bytes)
		}
		for _, m := range []event.Message{keyed, numbered} {
			if must(t, bus, m)[0].Duplicate {
				t.Errorf("%+v was remembered", m)
			}
		}
	})
}
