package redisbus_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
)

// While Redis is away a node holds 64 MiB of publishes at most, and refuses
// more at once; those that wait are told at their deadline.
func TestFullQueueRefuses(t *testing.T) {
	t.Parallel()
	bus, err := redisbus.Open(redisbus.Options{URL: "redis://" + unused(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	message := event.Message{Topic: "news", Data: event.Data{Text: strings.Repeat("x", event.MaxData)}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const fit, over = 64 << 20 / (event.MaxData + len("news")), 10
	refused := make(chan error, fit+over)
	var publishers sync.WaitGroup
	for range fit + over {
		publishers.Go(func() {
			_, err := bus.Publish(ctx, []event.Message{message})
			refused <- err
		})
	}
	for i := range fit + over {
		if i == over {
			if ctx.Err() != nil {
				t.Error("what is too much was not refused at once")
			}
			cancel()
		}
		u, ok := errors.AsType[*event.UnavailableError](<-refused)
		if !ok || u.MaybeStored || u.RetryAfter == 0 {
			t.Fatalf("got %+v", u)
		}
		if full := strings.Contains(u.Error(), "too much waits"); full != (i < over) {
			t.Errorf("answer %d: %v", i, u)
		}
	}
	publishers.Wait()
}

// unused returns an address where nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
