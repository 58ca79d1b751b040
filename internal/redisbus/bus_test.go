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
	for name, start := range map[string]func(*testing.T) string{
		"alone": func(t *testing.T) string { return redistest.Start(t).URL },
		"by Sentinels": func(t *testing.T) string {
			s := redistest.StartSentinels(t)
			s.Calm() // the contract is one of a primary that stays
			return s.URL
		},
		"in a Cluster": func(t *testing.T) string {
			c := redistest.StartCluster(t)
			c.Calm()
			return c.URL
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keepContract(t, start(t))
		})
	}
}

func keepContract(t *testing.T, url string) {
	var stores atomic.Int64
	bustest.Run(t, func(t *testing.T, limits event.Retention) func() hub.Bus {
		prefix := fmt.Sprintf("tt:{%d}:", stores.Add(1))
		return func() hub.Bus {
			bus, err := redisbus.Open(redisbus.Options{URL: url, Prefix: prefix, Retention: limits, Rules: bustest.Rules(t), MaxTopics: bustest.MaxTopics, Beat: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(bus.Close)
			return bus
		}
	})
}
