package redisbus_test

import (
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// BenchmarkPublish measures acknowledged messages of 128 bytes, by one node.
func BenchmarkPublish(b *testing.B) {
	for name, publishers := range map[string]int{"alone": 1, "crowd": 128} {
		b.Run(name, func(b *testing.B) {
			bus, err := redisbus.Open(redisbus.Options{URL: redistest.Start(b).URL})
			if err != nil {
				b.Fatal(err)
			}
			defer bus.Close()
			m := []event.Message{{Topic: "news", Data: event.Data{Text: strings.Repeat("x", 128)}}}
			if _, err := bus.Publish(b.Context(), m); err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(publishers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := bus.Publish(b.Context(), m); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
