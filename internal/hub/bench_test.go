package hub_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

// BenchmarkTake hands one event out to 1,000 subscribers of its topic.
func BenchmarkTake(b *testing.B) {
	bus := membus.New(membus.Options{})
	h := hub.New(bus, hub.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	<-h.Ready()
	var w bell
	subscribers := make([]*hub.Subscriber, 1000)
	for i := range subscribers {
		s, err := h.Subscribe(hub.Request{Topics: []event.Topic{"news"}, Chunked: true}, &w)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		s.Take(nil, 1<<20)
		subscribers[i] = s
	}
	message := []event.Message{{Topic: "news", Data: event.Data{Text: strings.Repeat("x", 128)}}}
	blocks := make([][]byte, 0, 10)
	b.ReportAllocs()
	var took time.Duration
	woken := int32(0)
	for b.Loop() {
		if _, err := bus.Publish(ctx, message); err != nil {
			b.Fatal(err)
		}
		for woken += int32(len(subscribers)); w.rings.Load() < woken; {
			runtime.Gosched()
		}
		begin := time.Now()
		for _, s := range subscribers {
			taken, state := s.Take(blocks, 16<<10)
			for state == hub.More { // the watermark rose meanwhile
				taken, state = s.Take(taken, 16<<10)
			}
			if len(taken) != 1 || state != hub.Idle {
				b.Fatal(len(taken), state)
			}
		}
		took += time.Since(begin)
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*len(subscribers)), "ns/take")
}
