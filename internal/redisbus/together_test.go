package redisbus_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// came words what became of a group of messages.
func came(g redisbus.Group) string {
	if item, ok := errors.AsType[*event.ItemError](g.Err); ok {
		return fmt.Sprintf("%d: %T", item.Index, item.Err)
	}
	if g.Err != nil {
		return g.Err.Error()
	}
	words := make([]string, len(g.Receipts))
	for i, r := range g.Receipts {
		if words[i] = "new"; r.Duplicate {
			words[i] = "dup"
		}
	}
	return strings.Join(words, " ")
}

// call is what several publishers send to topic a, each group with its outcome.
type call []struct {
	messages []event.Message
	want     string
}

// expect has the groups taken in one call.
func (c call) expect(t *testing.T, bus *redisbus.Bus) {
	t.Helper()
	groups := make([]redisbus.Group, len(c))
	for i, row := range c {
		for j := range row.messages {
			row.messages[j].Topic = "a"
		}
		groups[i] = redisbus.Group{Messages: row.messages, Deadline: time.Now().Add(patience)}
	}
	for i, g := range bus.PublishTogether(groups) {
		if got := came(g); got != c[i].want {
			t.Errorf("publish %d: got %q, want %q", i, got, c[i].want)
		}
	}
}

// TestPublishersMeetAtATable has publishers come to one table in one call, some of
// whom are refused in the middle of what they send: of those nothing is left.
func TestPublishersMeetAtATable(t *testing.T) {
	t.Parallel()
	const full, ended = "%d: *event.TableFullError", "%d: *event.EndedError"
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, 2)})
	once, longer, last := cell("m=2"), cell("l=3"), cell("k=2")
	once.IdempotencyKey, once.Lease = "once", time.Minute
	longer.Lease = time.Hour
	last.End = event.Failed
	call{
		{cells("k=1"), "new"},
		{cells("l=1", "m=1"), fmt.Sprintf(full, 1)},
		{cells("l=1"), "new"},
		{append(cells("k=null", "l=null"), endWith("", event.Completed), cell("n=1")), fmt.Sprintf(ended, 3)},
		{cells("n=1"), fmt.Sprintf(full, 0)},
		{cells("l=null", "m=1"), "new new"},
		{[]event.Message{once}, "new"},
		{append(cells("k=null"), longer, cell("o=1")), fmt.Sprintf(full, 2)},
		{[]event.Message{once, last}, "dup new"},
		{[]event.Message{once}, "dup"},
		{cells("k=null"), fmt.Sprintf(ended, 0)},
	}.expect(t, bus)
	page := holds(t, bus, event.Position{}, "l=null, m=2, k=2, end failed", "")
	if page.End == nil || page.End.End != event.Failed {
		t.Errorf("it ended as %+v", page.End)
	}
	for _, book := range [][]string{{"60000", "HGET", "tt:{0}:meta:a", "lease"}, {"204", "HGET", "tt:{0}:meta:a", "bytes"},
		{"0", "ZCARD", "tt:{0}:due"}, {"1", "ZCARD", "tt:{0}:nulls:a"}, {"3", "HLEN", "tt:{0}:now:a"}} {
		if got := server.Must(book[1:]...); got != book[0] {
			t.Errorf("%s: got %s, want %s", book[1:], got, book[0])
		}
	}
}

// TestEpochTurnsWithALease has the call that opens an epoch bring a lease to one
// topic, and an end to another: the lease counts, and the end is the last.
func TestEpochTurnsWithALease(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	blind := openBus(t, redisbus.Options{URL: server.URL, Beat: time.Hour})
	old := sent(t, blind, event.Message{Topic: "b", Data: event.Data{Text: "x"}})[0].Cursor.Epoch
	server.Must("HSET", "tt:{0}:clock", "run", "another")
	follows := event.Message{Data: event.Data{Text: "f"}, Producer: "p", Seq: 2, Follows: old}
	call{
		{[]event.Message{{Data: event.Data{Text: "1"}, Lease: event.MinLease}}, "new"},
		{[]event.Message{follows}, "the store has begun another epoch, and may have lost what came before in this stream"},
		{[]event.Message{{Data: event.Data{Text: "2"}}}, "new"},
	}.expect(t, blind)
	page := holds(t, blind, event.Position{}, "1, 2", "")
	if page.Epoch.Number != old.Number+1 || page.Events[0].Epoch != page.Epoch {
		t.Errorf("the epoch is %+v, it was %+v", page.Epoch, old)
	}
	watcher := openBus(t, redisbus.Options{URL: server.URL})
	if at := untilLost(t, watcher); at.Sub(page.Events[1].Position.Time()) < event.MinLease {
		t.Errorf("it ended at %v, behind %v", at, page.Events[1].Position)
	}
	server.Must("HSET", "tt:{0}:clock", "run", "another")
	call{
		{[]event.Message{{Data: event.Data{Text: "3"}, Lease: event.MinLease}}, "0: *event.EndedError"},
		{[]event.Message{endWith("", event.Completed)}, "0: *event.EndedError"},
	}.expect(t, blind)
	holds(t, blind, event.Position{}, "1, 2, end producer_lost", "")
	if due := server.Must("ZCARD", "tt:{0}:due"); due != "0" {
		t.Errorf("%s leases are due", due)
	}
}
