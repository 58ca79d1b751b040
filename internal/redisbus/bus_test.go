package redisbus_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"tickertape/internal/bustest"
	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

func TestBusContract(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var stores atomic.Int64
	bustest.Run(t, func(t *testing.T, limits event.Retention) func() hub.Bus {
		prefix := fmt.Sprintf("tt:{%d}:", stores.Add(1))
		return func() hub.Bus {
			bus, err := redisbus.Open(redisbus.Options{URL: server.URL, Prefix: prefix, Retention: limits, Beat: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(bus.Close)
			return bus
		}
	})
}
