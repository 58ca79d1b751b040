package redisbus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestLostReply swallows the reply to a publish: the node asks for it on a new
// connection, and the caller has the real outcome.
func TestLostReply(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	n := startNode(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0"})
	live := n.open(hub.Start{}, "a")
	tell(t, n.bus, "a", "1")
	proxy.Stall(redistest.Down)
	done := begin(t, n.bus, 10*time.Second, "2", "")
	eventually(t, "it is stored", func() bool { return server.Must("XLEN", "tt:{0}:log:a") == "2" })
	proxy.Resume()
	o := <-done
	if o.err != nil || o.receipts[0].Duplicate {
		t.Fatalf("the publish ended with %+v, %v", o.receipts, o.err)
	}
	tell(t, n.bus, "a", "3")
	live.expect("a 1, a 2, a 3")
	page, err := n.bus.History(t.Context(), event.Range{Topic: "a", Upto: event.Position{MS: 1 << 47}})
	if err != nil || len(page.Events) != 3 || page.Events[1].Position != o.receipts[0].Cursor.Position {
		t.Errorf("the history is %+v, %v", page, err)
	}
}

// TestDelayedCall holds a call up on its way until the node has asked for it
// and sent it again: it comes to nothing when it arrives.
func TestDelayedCall(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	n := startNode(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0"})
	live := n.open(hub.Start{}, "a")
	tell(t, n.bus, "a", "1")
	live.expect("a 1")
	proxy.Delay(redistest.Up, 3*time.Second) // longer than a call may take
	begun := time.Now()
	done := begin(t, n.bus, 10*time.Second, "2", "")
	time.AfterFunc(500*time.Millisecond, func() { proxy.Delay(redistest.Up, 0) })
	if o := <-done; o.err != nil {
		t.Fatal(o.err)
	}
	tell(t, n.bus, "a", "3")
	live.expect("a 2, a 3")
	eventually(t, "the late call has come", func() bool { return time.Since(begun) > 3500*time.Millisecond })
	tell(t, n.bus, "a", "4")
	live.expect("a 4")
	if length := server.Must("XLEN", "tt:{0}:log:a"); length != "4" {
		t.Errorf("%s are stored", length)
	}
}

// TestFrozenStore freezes Redis with a publish under way. What was given up by
// its deadline is not found later, unless its answer said that it may be.
func TestFrozenStore(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL})
	tell(t, bus, "a", "1")
	server.Stop()
	first := begin(t, bus, 300*time.Millisecond, "maybe", "")
	second := <-begin(t, bus, 300*time.Millisecond, "never", "")
	o := <-first
	var passing *event.UnavailableError
	if !errors.As(o.err, &passing) || !errors.As(second.err, &passing) {
		t.Fatalf("a frozen store answered %v and %v", o.err, second.err)
	}
	server.Cont()
	tell(t, bus, "a", "2")
	page, err := bus.History(t.Context(), event.Range{Topic: "a", Upto: event.Position{MS: 1 << 47}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Events {
		told := map[string]error{"maybe": o.err, "never": second.err}[e.Data.Text]
		if errors.As(told, &passing) && !passing.MaybeStored {
			t.Errorf("%q is stored, though it was said not to be", e.Data.Text)
		}
	}
}

// TestDeadlineCountsInRedis has a publish come to Redis after its deadline: it
// was given up then, and is not taken any more.
func TestDeadlineCountsInRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	// With no beats on its way, the publish is not held up by one.
	bus := openBus(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0", Beat: time.Hour})
	tell(t, bus, "a", "1")
	proxy.Delay(redistest.Up, 700*time.Millisecond)
	o := <-begin(t, bus, 200*time.Millisecond, "late", "")
	var passing *event.UnavailableError
	if !errors.As(o.err, &passing) || !passing.MaybeStored {
		t.Fatalf("a publish under way was answered with %v", o.err)
	}
	tell(t, bus, "a", "2")
	if length := server.Must("XLEN", "tt:{0}:log:a"); length != "2" {
		t.Errorf("%s messages are stored, and one came after its deadline", length)
	}
}

// TestKeysOverReconnects repeats keyed messages on broken connections, in the
// order in which they came: each is stored once.
func TestKeysOverReconnects(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	n := startNode(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0"})
	live := n.open(hub.Start{}, "a")
	for i := range 6 {
		text := fmt.Sprint(i)
		done := begin(t, n.bus, 10*time.Second, text, text)
		proxy.Cut()
		o := <-done
		again := tell(t, n.bus, "a", text)[0]
		if o.err == nil && o.receipts[0].Cursor.String() != again {
			t.Fatalf("%s is at %v, and again at %v", text, o.receipts[0].Cursor.Position, position(t, again))
		}
		live.expect("a " + text)
	}
	if length := server.Must("XLEN", "tt:{0}:log:a"); length != "6" {
		t.Errorf("%s are stored", length)
	}
}

// TestKeysOfTopicsApart has two topics and keys that make the same text when
// they are joined by a colon, which both may have.
func TestKeysOfTopicsApart(t *testing.T) {
	t.Parallel()
	bus := openBus(t, redisbus.Options{URL: redistest.Start(t).URL})
	for _, m := range []event.Message{{Topic: "a:b", IdempotencyKey: "c"}, {Topic: "a", IdempotencyKey: "b:c"}} {
		if receipts, err := bus.Publish(t.Context(), []event.Message{m}); err != nil || receipts[0].Duplicate {
			t.Errorf("%s with the key %s: %+v, %v", m.Topic, m.IdempotencyKey, receipts, err)
		}
	}
}

type outcome struct {
	receipts []event.Receipt
	err      error
}

// begin publishes to topic a in the background, with an idempotency key if it
// is not empty.
func begin(t *testing.T, bus *redisbus.Bus, within time.Duration, text, key string) <-chan outcome {
	t.Helper()
	done, gone := make(chan outcome, 1), make(chan struct{})
	go func() {
		defer close(gone)
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		receipts, err := bus.Publish(ctx, []event.Message{{Topic: "a", Data: event.Data{Text: text}, IdempotencyKey: key}})
		done <- outcome{receipts, err}
	}()
	t.Cleanup(func() { <-gone })
	return done
}
