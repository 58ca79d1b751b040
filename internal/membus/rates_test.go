package membus_test

import (
	"errors"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/membus"
)

// TestBucketFillsUp: a bucket that nobody used is full, not more.
func TestBucketFillsUp(t *testing.T) {
	inBubble(t, membus.Options{}, func(t *testing.T, bus *membus.Bus) {
		a := event.Allowance{Name: "x", PerSecond: 100}
		for _, pause := range []time.Duration{0, time.Hour, 10 * time.Second} {
			time.Sleep(pause)
			if err := bus.Spend(t.Context(), a, 1000); err != nil {
				t.Errorf("after %v: %v", pause, err)
			}
			e, ok := errors.AsType[*event.RateError](bus.Spend(t.Context(), a, 1))
			if !ok || e.Wait < 10*time.Millisecond || e.Wait > 10*time.Millisecond+time.Microsecond {
				t.Errorf("after %v, one more: %+v", pause, e)
			}
		}
	})
}
