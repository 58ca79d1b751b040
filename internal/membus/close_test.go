package membus_test

import (
	"errors"
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/membus"
)

func TestClosedBusAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	m := []event.Message{{Topic: "a", Data: event.Data{Text: "x"}}}
	if _, err := bus.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	bus.Close()
	_, err := bus.Publish(t.Context(), m)
	if u, ok := errors.AsType[*event.UnavailableError](err); !ok || u.MaybeStored {
		t.Errorf("got %v", err)
	}
	if info, _, _ := bus.Topic(t.Context(), "a"); info.Retained != 1 {
		t.Errorf("%d kept", info.Retained)
	}
}

// TestFullTopicsTurnOver: when the memory is full, a topic at its own limits
// still takes messages: each one makes the room that it needs.
func TestFullTopicsTurnOver(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{MaxBytes: 20_000, Retention: event.Retention{Messages: 10}})
	message := func(topic event.Topic) []event.Message {
		return []event.Message{{Topic: topic, Data: event.Data{Text: strings.Repeat("x", 1000)}}}
	}
	for range 10 {
		if _, err := bus.Publish(t.Context(), message("a")); err != nil {
			t.Fatal(err)
		}
	}
	var full error
	for full == nil {
		_, full = bus.Publish(t.Context(), message("b"))
	}
	for range 30 {
		if _, err := bus.Publish(t.Context(), message("a")); err != nil {
			t.Fatalf("a topic at its limit is refused: %v", err)
		}
	}
	if _, err := bus.Publish(t.Context(), message("b")); err == nil {
		t.Error("a topic below its limit grew beyond the memory")
	}
}
