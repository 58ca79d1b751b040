package redisbus_test

import (
	"slices"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
)

// TestHeardWhileReporting has a node hear more of an epoch that it knows to
// have ended, while the report of what it had heard is under way.
func TestHeardWhileReporting(t *testing.T) {
	t.Parallel()
	before, now := event.Epoch{Number: 1, Nonce: 1}, event.Epoch{Number: 2, Nonce: 2}
	w := redisbus.NewWitness(time.Hour)
	w.Learn(event.Clock{Epoch: before, Position: event.Position{MS: 1}})
	w.Note("a", event.Cursor{Epoch: before, Position: event.Position{MS: 5}})
	w.Learn(event.Clock{Epoch: now, Position: event.Position{MS: 6}, Ended: map[event.Epoch]event.Position{before: {MS: 3}}})
	for _, ms := range []uint64{5, 9} {
		list, reported := w.Losses()
		if want := []event.Position{{MS: ms}}; !slices.Equal(list, want) {
			t.Fatalf("%v are to be reported, want %v", list, want)
		}
		w.Note("a", event.Cursor{Epoch: before, Position: event.Position{MS: 9}})
		reported()
	}
	if list, _ := w.Losses(); len(list) > 0 {
		t.Errorf("%v were reported, and are to be again", list)
	}
}
