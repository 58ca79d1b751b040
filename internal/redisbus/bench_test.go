package redisbus_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// BenchmarkPublish measures acknowledged messages of 128 bytes, by one node: what
// they cost the node, and Redis.
func BenchmarkPublish(b *testing.B) {
	for _, load := range []struct {
		name                      string
		publishers, topics, batch int
	}{
		{"alone", 1, 1, 1},
		{"crowd", 128, 1, 1},
		{"topics", 128, 1000, 1},
		{"batches", 4, 1, 64},
	} {
		b.Run(load.name, func(b *testing.B) {
			server := redistest.Start(b)
			bus, err := redisbus.Open(redisbus.Options{URL: server.URL, Retention: event.Retention{Messages: 5000}})
			if err != nil {
				b.Fatal(err)
			}
			defer bus.Close()
			text := event.Data{Text: strings.Repeat("x", 128)}
			if _, err := bus.Publish(b.Context(), []event.Message{{Topic: "news", Data: text}}); err != nil {
				b.Fatal(err)
			}
			memory, cpu := usedMemory(b, server), usedCPU(b, server)
			var number atomic.Int64
			b.SetParallelism(load.publishers)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				var batch []event.Message
				for pb.Next() {
					topic := event.Topic(fmt.Sprint("news.", number.Add(1)%int64(load.topics)))
					if batch = append(batch, event.Message{Topic: topic, Data: text}); len(batch) < load.batch {
						continue
					}
					if _, err := bus.Publish(b.Context(), batch); err != nil {
						b.Error(err)
						return
					}
					batch = nil
				}
			})
			b.StopTimer()
			b.ReportMetric((usedCPU(b, server)-cpu)*1e6/float64(b.N), "redis-µs/op")
			b.ReportMetric((usedMemory(b, server)-memory)/float64(min(b.N, 5000*load.topics)), "redis-B/stored")
		})
	}
}

// usedCPU returns the processor's seconds that the server has used.
func usedCPU(b *testing.B, s *redistest.Server) float64 {
	b.Helper()
	return number(b, s, "cpu", "used_cpu_user") + number(b, s, "cpu", "used_cpu_sys")
}

// usedMemory returns the bytes that the server has allocated.
func usedMemory(b *testing.B, s *redistest.Server) float64 {
	b.Helper()
	return number(b, s, "memory", "used_memory")
}

func number(b *testing.B, s *redistest.Server, section, field string) float64 {
	b.Helper()
	n, err := strconv.ParseFloat(s.Info(section, field), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
