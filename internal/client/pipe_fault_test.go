package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/redistest"
)

// harmed is two nodes with one bus, and a proxy that leads to one of them.
type harmed struct {
	*redistest.Proxy
	nodes []*nodetest.Node
}

func newHarmed(t *testing.T) *harmed {
	t.Helper()
	bus := membus.New(membus.Options{Retention: event.Retention{Messages: 1 << 20, Bytes: 1 << 28}})
	h := &harmed{nodes: []*nodetest.Node{nodetest.Start(t, nodetest.Options{Over: bus}), nodetest.Start(t, nodetest.Options{Over: bus})}}
	h.Proxy = redistest.StartProxy(t, h.nodes[0].Addr)
	return h
}

func (h *harmed) client(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	return newClient(t, "http://"+h.Addr, o)
}

// harm does one random thing to the way to the hubs, and makes it good again.
func (h *harmed) harm() {
	switch rand.N(6) {
	case 0:
		h.Refuse(true)
		h.Cut()
		time.Sleep(rand.N(50 * time.Millisecond))
		h.Refuse(false)
	case 1:
		h.Stall([]redistest.Direction{redistest.Up, redistest.Down, redistest.Both}[rand.N(3)])
		time.Sleep(rand.N(50 * time.Millisecond))
		h.Resume()
	case 2:
		h.Target(h.nodes[rand.N(2)].Addr)
		h.Cut()
	default:
		h.Cut()
	}
}

// Whatever happens to its connections, each message is stored once and in
// order.
func TestPipeThroughFaults(t *testing.T) {
	t.Parallel()
	const count = 20_000
	h := newHarmed(t)
	c := h.client(t, client.Options{Timeout: time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	done := make(chan struct{})
	harms := 0
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			time.Sleep(rand.N(400 * time.Millisecond))
			h.harm()
			harms++
		}
	}()
	var failures atomic.Int64
	tally, err := c.Pipe(ctx, paced(ctx, count), client.PipeOptions{MaxTime: 50 * time.Millisecond, Progress: func(_ client.Tally, err error, _ time.Duration) {
		if err != nil {
			failures.Add(1)
		}
	}})
	cancel()
	<-done
	if err != nil || tally.Accepted != count {
		t.Errorf("%+v, %v", tally, err)
	}
	wantStored(t, h.nodes[0], "t", count)
	if failures.Load() == 0 {
		t.Error("nothing ever failed")
	}
	t.Logf("%d harms, %d failures", harms, failures.Load())
}

// paced sends numbers with pauses here and there.
func paced(ctx context.Context, count int) <-chan event.Message {
	messages := make(chan event.Message)
	go func() {
		defer close(messages)
		for i := range count {
			if rand.N(300) == 0 {
				time.Sleep(rand.N(20 * time.Millisecond))
			}
			select {
			case messages <- text("t", fmt.Sprint(i)):
			case <-ctx.Done():
				return
			}
		}
	}()
	return messages
}

// A node that ends answers in the middle of a request, and says how far it
// came; another one goes on from there.
func TestPipeGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	h := newHarmed(t)
	c := h.client(t, client.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	messages := make(chan event.Message)
	var early *client.Error
	told := make(chan struct{})
	progress := func(tally client.Tally, err error, wait time.Duration) {
		if err == nil {
			return
		}
		e, ok := errors.AsType[*client.Error](err)
		if !ok || tally.Accepted != 2 || wait < time.Second {
			t.Errorf("told %+v, %v, %v", tally, err, wait)
		}
		early = e
		h.Target(h.nodes[1].Addr)
		close(told)
	}
	go func() {
		defer close(messages)
		messages <- text("t", "0")
		messages <- text("t", "1")
		for countStored(h.nodes[0], "t") < 2 {
			time.Sleep(time.Millisecond)
		}
		h.nodes[0].Web.EndStreams()
		select {
		case <-told:
		case <-ctx.Done():
			return
		}
		messages <- text("t", "2")
		messages <- text("t", "3")
	}()
	tally, err := c.Pipe(ctx, messages, client.PipeOptions{MaxTime: time.Hour, Progress: progress})
	if err != nil || tally.Accepted != 4 || early == nil || early.Status != http.StatusServiceUnavailable {
		t.Errorf("%+v, %v, after %v", tally, err, early)
	}
	wantStored(t, h.nodes[1], "t", 4)
}

func countStored(n *nodetest.Node, topic event.Topic) int {
	info, _, err := n.Bus.Topic(context.Background(), topic)
	if err != nil {
		return 0
	}
	return info.Retained
}

// A message that cannot be published ends the pipe; all before it is stored.
func TestPipeEndsAtRefusal(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]event.Message{
		"by the hub": text("hub", "x"),
		"by itself":  text("t", "\xff"),
		"too large":  text("t", strings.Repeat("x", 256<<10+1)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := nodetest.Start(t, nodetest.Options{})
			c := newClient(t, n.URL, client.Options{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			messages := make(chan event.Message)
			go func() {
				for i := 0; ; i++ {
					m := text("t", fmt.Sprint(i))
					if i == 1500 {
						m = bad
					}
					select {
					case messages <- m:
					case <-ctx.Done():
						return
					}
				}
			}()
			tally, err := c.Pipe(ctx, messages, client.PipeOptions{First: 100})
			refusal, ok := errors.AsType[*client.PipeError](err)
			if !ok || refusal.Number != 1600 || tally.Accepted != 1500 || client.Passing(err) {
				t.Fatalf("%+v, %v", tally, err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "message 1600: ") || strings.Contains(text, "line") || strings.Contains(text, "message 500") {
				t.Errorf("the error is %q", text)
			}
			wantStored(t, n, "t", 1500)
		})
	}
}

// When ctx ends, what was sent is still confirmed.
func TestPipeEndsWithContext(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t, nodetest.Options{})
	c := newClient(t, n.URL, client.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	messages := make(chan event.Message)
	go func() {
		for i := range 1234 {
			messages <- text("t", fmt.Sprint(i))
		}
		cancel()
	}()
	tally, err := c.Pipe(ctx, messages, client.PipeOptions{MaxTime: time.Hour})
	if !errors.Is(err, context.Canceled) || tally.Accepted != 1234 || tally.LastID == "" {
		t.Errorf("%+v, %v", tally, err)
	}
	wantStored(t, n, "t", 1234)
}

// A producer that goes on where it ended doubles nothing.
func TestPipeGoesOnWithNumbers(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t, nodetest.Options{})
	c := newClient(t, n.URL, client.Options{})
	for _, first := range []int{0, 5, 20} {
		messages := make(chan event.Message, 20)
		for i := range cap(messages) {
			messages <- text("t", fmt.Sprint(first+i))
		}
		close(messages)
		if tally, err := c.Pipe(t.Context(), messages, client.PipeOptions{Producer: "p", First: int64(first)}); err != nil || tally.Accepted != 20 {
			t.Errorf("from %d: %+v, %v", first, tally, err)
		}
	}
	wantStored(t, n, "t", 40)
}
