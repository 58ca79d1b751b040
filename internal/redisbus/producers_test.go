package redisbus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// seqKey is where the store remembers producer p of topic a.
const seqKey = "tt:{0}:seq:a/p"

// sequence returns messages of producer p to topic a, their numbers being
// their texts.
func sequence(numbers ...int64) (list []event.Message) {
	for _, n := range numbers {
		list = append(list, event.Message{Topic: "a", Data: event.Data{Text: fmt.Sprint(n)}, Producer: "p", Seq: n})
	}
	return list
}

// verdicts words an outcome: of each message "new", "dup" or "old", in
// parentheses the text of the event at its place.
func verdicts(t *testing.T, bus *redisbus.Bus, receipts []event.Receipt, err error) string {
	t.Helper()
	if err != nil {
		return err.Error()
	}
	places := map[event.Cursor]string{}
	for _, e := range history(t, bus, event.Position{}, end).Events {
		places[e.Cursor()] = "(" + e.Data.Text + ")"
	}
	var words []string
	for _, r := range receipts {
		word := "new"
		if r.Duplicate {
			word = "dup"
		}
		if r.Cursor == (event.Cursor{}) {
			word += " old"
		}
		words = append(words, word+places[r.Cursor])
	}
	return strings.Join(words, ", ")
}

func stored(t *testing.T, bus *redisbus.Bus) string {
	t.Helper()
	var texts []string
	for _, e := range history(t, bus, event.Position{}, end).Events {
		texts = append(texts, e.Data.Text)
	}
	return strings.Join(texts, " ")
}

// TestProducerInOneCall has several publishes of one producer go to the store
// in one call, some of them refused.
func TestProducerInOneCall(t *testing.T) {
	t.Parallel()
	bus := openBus(t, redisbus.Options{URL: redistest.Start(t).URL})
	with := func(n int64, text, key string) []event.Message {
		m := sequence(n)
		m[0].Data.Text, m[0].IdempotencyKey = text, key
		return m
	}
	clash := []event.Message{{Topic: "a", Data: event.Data{Text: "clash"}, IdempotencyKey: "k1"}}
	reused := "message 2: " + event.ErrKeyReused.Error()
	receipts, err := bus.Publish(t.Context(), with(1, "1", "k1"))
	if got := verdicts(t, bus, receipts, err); got != "new(1)" {
		t.Fatalf("the first one: %s", got)
	}
	rows := []struct {
		messages []event.Message
		late     bool
		want     string
	}{
		{messages: sequence(1, 2), want: "dup(1), new(2)"},
		{messages: slices.Concat(sequence(3, 4), clash), want: reused},
		{messages: sequence(3, 4, 5), late: true, want: "storing took too long"},
		{messages: sequence(3), want: "new(3)"},
		{messages: sequence(2, 3, 4), want: "dup old, dup(3), new(4)"},
		{messages: slices.Concat(sequence(9), with(8, "8", "k8"), clash), want: reused},
		{messages: slices.Concat(with(5, "5", "k5"), with(6, "1", "k1")), want: "new(5), dup(1)"},
		{messages: sequence(6), want: "dup(1)"},
		{messages: with(7, "5", "k5"), want: "dup(5)"},
		{messages: slices.Concat(sequence(5, 6, 7), with(8, "8", "k8")), want: "dup old, dup old, dup(5), new(8)"},
	}
	var groups []redisbus.Group
	for _, row := range rows {
		deadline := time.Now().Add(patience)
		if row.late {
			deadline = time.Now().Add(-time.Second)
		}
		groups = append(groups, redisbus.Group{Messages: row.messages, Deadline: deadline})
	}
	for i, g := range bus.PublishTogether(groups) {
		if got := verdicts(t, bus, g.Receipts, g.Err); got != rows[i].want {
			t.Errorf("publish %d: got %s, want %s", i, got, rows[i].want)
		}
	}
	if got := stored(t, bus); got != "1 2 3 4 5 8" {
		t.Errorf("%s are stored", got)
	}
	// The store has it too.
	receipts, err = bus.Publish(t.Context(), sequence(7, 8, 9))
	if got := verdicts(t, bus, receipts, err); got != "dup old, dup(8), new(9)" {
		t.Errorf("afterwards: %s", got)
	}
}

// TestProducerIsForgotten: a producer is remembered for so long after its last
// message; a repeated one does not count.
func TestProducerIsForgotten(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL})
	left := func() time.Duration {
		ms, err := strconv.ParseInt(server.Must("PTTL", seqKey), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(ms) * time.Millisecond
	}
	const day = 24 * time.Hour
	for _, row := range []struct {
		messages []event.Message
		renews   bool
	}{{sequence(5), true}, {sequence(5), false}, {sequence(4, 5), false}, {sequence(5, 6), true}} {
		server.Must("PEXPIRE", seqKey, "1000000") // if it is there
		if _, err := bus.Publish(t.Context(), row.messages); err != nil {
			t.Fatal(err)
		}
		if l := left(); l > day || row.renews != (l > day-time.Hour) {
			t.Errorf("%d to be remembered for %v", row.messages[0].Seq, l)
		}
	}

	short := openBus(t, redisbus.Options{URL: server.URL, RememberProducers: 50 * time.Millisecond})
	if _, err := short.Publish(t.Context(), sequence(7)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is forgotten", func() bool { return server.Must("EXISTS", seqKey) == "0" })
	receipts, err := bus.Publish(t.Context(), sequence(1))
	if got := verdicts(t, bus, receipts, err); got != "new(1)" {
		t.Errorf("a forgotten producer: %s", got)
	}
}

// repeat publishes the messages until they are acknowledged.
func repeat(t *testing.T, bus *redisbus.Bus, messages []event.Message) []event.Receipt {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		receipts, err := bus.Publish(ctx, messages)
		cancel()
		if err == nil {
			return receipts
		}
		if _, ok := errors.AsType[*event.UnavailableError](err); !ok || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestProducerOverReconnects has a producer's connections break, in turn at
// two nodes, and repeats what was not acknowledged at the other one.
func TestProducerOverReconnects(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	var buses [2]*redisbus.Bus
	for i := range buses {
		buses[i] = openBus(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0"})
	}
	var want []string
	for i := range int64(12) {
		batch := sequence(2*i, 2*i+1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		done := make(chan error, 1)
		go func() {
			_, err := buses[i%2].Publish(ctx, batch)
			done <- err
		}()
		proxy.Cut()
		if i%3 == 0 {
			cancel() // the producer does not wait for the answer
		}
		repeat(t, buses[(i+1)%2], batch)
		<-done
		cancel()
		want = append(want, fmt.Sprint(2*i), fmt.Sprint(2*i+1))
	}
	if got := stored(t, buses[0]); got != strings.Join(want, " ") {
		t.Errorf("%s are stored", got)
	}
}

// TestProducerOfARolledBackStore: a store that comes back older has forgotten
// of a producer just what it lost, and takes it again.
func TestProducerOfARolledBackStore(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL})
	kept := repeat(t, bus, sequence(1, 2, 3))
	server.Save()
	repeat(t, bus, sequence(4, 5))
	server.Kill()
	server.Restart()
	receipts := repeat(t, bus, sequence(3, 4, 5, 6))
	if receipts[0] != (event.Receipt{Topic: "a", Cursor: kept[2].Cursor, Duplicate: true}) {
		t.Errorf("what was kept: %+v, and at first %+v", receipts[0], kept[2])
	}
	for _, r := range receipts[1:] {
		if r.Duplicate || r.Cursor.Epoch == kept[2].Cursor.Epoch {
			t.Errorf("what was lost: %+v", r)
		}
	}
	if got := stored(t, bus); got != "1 2 3 4 5 6" {
		t.Errorf("%s are stored", got)
	}
}
