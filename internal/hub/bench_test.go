package hub_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

// BenchmarkTake hands an event out to each of 1,000 subscribers: the same one
// of one topic, or one each of as many topics.
func BenchmarkTake(b *testing.B) {
	for _, topics := range []int{1, 1000} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) { benchmarkTake(b, topics) })
	}
}

func benchmarkTake(b *testing.B, topics int) {
	bus := membus.New(membus.Options{})
	h := hub.New(bus, hub.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	<-h.Ready()
	var w bell
	subscribers := make([]*hub.Subscriber, 1000)
	messages := make([]event.Message, topics)
	for i := range subscribers {
		topic := event.Topic(fmt.Sprint("topic.", i%topics))
		messages[i%topics] = event.Message{Topic: topic, Data: event.Data{Text: strings.Repeat("x", 128)}}
		s, err := h.Subscribe(hub.Request{Topics: []event.Topic{topic}, Chunked: true}, &w)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		s.Take(nil, 1<<20)
		subscribers[i] = s
	}
	blocks := make([][]byte, 0, 10)
	b.ReportAllocs()
	var took time.Duration
	woken := int32(0)
	for b.Loop() {
		for batch := range slices.Chunk(messages, event.MaxBatch) {
			if _, err := bus.Publish(ctx, batch); err != nil {
				b.Fatal(err)
			}
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
