package membus_test

import (
	"testing"
	"time"

	"tickertape/internal/bustest"
	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

func TestBusContract(t *testing.T) {
	t.Parallel()
	bustest.Run(t, func(t *testing.T, limits event.Retention) func() hub.Bus {
		bus := membus.New(membus.Options{Rules: bustest.Rules(t), MaxTopics: bustest.MaxTopics, Retention: limits, Beat: 50 * time.Millisecond})
		return func() hub.Bus { return bus }
	})
}
