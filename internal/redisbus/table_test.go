package redisbus_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestTableBooks holds what Redis has of a table against what it should: an entry
// for each key that was ever set, its bytes, and nothing else.
func TestTableBooks(t *testing.T) {
	t.Parallel()
	const keys, entryCost = 4, 100
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, keys)})
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		topic := fmt.Sprint("a.", run)
		now := map[string]string{}
		for range rapid.IntRange(1, 8).Draw(rt, "calls") {
			after := map[string]string{}
			for k, v := range now {
				after[k] = v
			}
			var batch []event.Message
			full := false
			for range rapid.IntRange(1, 4).Draw(rt, "messages") {
				m := cell(rapid.SampledFrom([]string{"=null", "=1", "=22", "=333"}).Draw(rt, "value"))
				m.Key, m.Topic = fmt.Sprint("k", rapid.IntRange(0, keys+1).Draw(rt, "key")), event.Topic(topic)
				if after[m.Key] = m.Data.Text; m.Data.IsNull() {
					delete(after, m.Key)
				}
				full = full || len(after) > keys
				batch = append(batch, m)
			}
			_, err := bus.Publish(t.Context(), batch)
			if _, refused := errors.AsType[*event.TableFullError](err); refused != full || !refused && err != nil {
				rt.Fatalf("%+v: %v, with %v", batch, err, now)
			}
			if !full {
				now = after
			}
		}
		bytes := 0
		for k, v := range now {
			bytes += entryCost + len(k) + len(v)
		}
		books := func(command ...string) string { return server.Must(command...) }
		var nulls int
		_, _ = fmt.Sscan(books("ZCARD", "tt:{0}:nulls:"+topic), &nulls)
		if nulls > keys {
			rt.Fatalf("%d nulls", nulls)
		}
		entries := fmt.Sprint(len(now) + nulls)
		if length := books("XLEN", "tt:{0}:log:"+topic); length != entries && books("EXISTS", "tt:{0}:meta:"+topic) == "1" {
			rt.Errorf("the log has %s entries, want %s", length, entries)
		}
		if n := books("HLEN", "tt:{0}:now:"+topic); n != entries {
			rt.Errorf("it has %s keys in its books, want %s", n, entries)
		}
		if got := books("HGET", "tt:{0}:meta:"+topic, "bytes"); got != fmt.Sprint(bytes) && entries != "0" {
			rt.Errorf("the books say %s bytes, want %d", got, bytes)
		}
		first, _, _ := strings.Cut(books("XRANGE", "tt:{0}:log:"+topic, "-", "+", "COUNT", "1"), "\n")
		if got := books("HGET", "tt:{0}:meta:"+topic, "first"); got != first {
			rt.Errorf("its first entry is %s, the books say %s", first, got)
		}
	})
}

// TestOldestDeletionsGo deletes more keys than a table may have, in one millisecond
// and against the order of their names.
func TestOldestDeletionsGo(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, 2)})
	start := sent(t, bus, cells("d=null", "c=null", "d=null", "b=null", "a=null")...)[0].Cursor.Position
	page := holds(t, bus, event.Position{}, "b=null, a=null", "trimmed")
	if gone := page.Gaps[0].Position; gone != (event.Position{MS: start.MS, Seq: start.Seq + 2}) {
		t.Errorf("what is gone ends at %v, it began at %v", gone, start)
	}
}

// TestTableComesBackOlder brings the store back from an old dump: the table is as
// it was, goes on from there, and the loss is told.
func TestTableComesBackOlder(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, 3)})
	start := sent(t, bus, cells("k=1", "l=1", "m=1", "m=null")...)[0].Cursor.Position
	server.Save()
	gone := sent(t, bus, cells("k=2", "l=null", "m=2", "n=2")...)[3].Cursor.Position
	holds(t, bus, start, "k=2, l=null, m=2, n=2", "")
	server.Kill()
	server.Restart()
	eventually(t, "the loss is told", func() bool { return server.Must("HEXISTS", "tt:{0}:meta:a", "lost") == "1" })
	holds(t, bus, event.Position{}, "k=1, l=1, m=null", "store_lost")
	sent(t, bus, cells("l=3", "n=3")...)
	page := holds(t, bus, start, "m=null, l=3, n=3", "store_lost")
	if !page.Gaps[0].Position.After(gone) || !page.Events[1].Position.After(page.Gaps[0].Position) {
		t.Errorf("the loss of %v is told at %v, before %v", gone, page.Gaps[0].Position, page.Events[1].Position)
	}
	if _, err := send(t, bus, cell("o=3")); !full(err, "3 keys") {
		t.Errorf("a fourth key: %v", err)
	}
	sent(t, bus, cells("n=null", "o=3")...)
	holds(t, bus, page.Events[1].Position, "n=null, o=3", "")
}

func full(err error, limit string) bool {
	why, ok := errors.AsType[*event.TableFullError](err)
	return ok && why.Limit == limit
}

// TestTableKeepsItsBytes has a table with a limit of bytes: what would make it
// larger is refused then, and nothing else.
func TestTableKeepsItsBytes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, 100), Retention: event.Retention{Bytes: 1000}})
	long := strings.Repeat("x", 340)
	sent(t, bus, cells("a="+long, "b="+long)...)
	for _, refused := range []string{"c=1", "c=" + long, "a=" + long + long} {
		if _, err := send(t, bus, cell(refused)); (refused == "c=1") != (err == nil) || err != nil && !full(err, "1000 bytes") {
			t.Errorf("%.10s: %v", refused, err)
		}
		sent(t, bus, cell("c=null"))
	}
	sent(t, bus, cells("a=1", "c="+long)...)
	holds(t, bus, event.Position{}, "b="+long+", a=1, c="+long, "")
}

// TestFullRedisChangesNothing has Redis without memory refuse what would change a
// table, end it, or turn it into a log.
func TestFullRedisChangesNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rules := one(t, event.KindLatest, 10)
	bus := openBus(t, redisbus.Options{URL: server.URL, Rules: rules})
	log := openBus(t, redisbus.Options{URL: server.URL})
	sent(t, bus, cells("k=1", "l=1", "l=null")...)
	state := func() (all []string) {
		for _, key := range []string{"log:a", "meta:a", "now:a", "nulls:a"} {
			all = append(all, server.Must("DUMP", "tt:{0}:"+key))
		}
		return all
	}
	before := state()
	server.Must("CONFIG", "SET", "maxmemory", "1")
	for _, m := range []event.Message{cell("k=2"), cell("k=null"), cell("l=2"), {EndOnly: true, End: event.Completed}} {
		m.Topic = "a"
		_, err := bus.Publish(t.Context(), []event.Message{m})
		if u, ok := errors.AsType[*event.UnavailableError](err); !ok || u.MaybeStored {
			t.Errorf("%+v: %v", m, err)
		}
	}
	if _, err := log.Publish(t.Context(), []event.Message{{Topic: "a", Data: event.Data{Text: "x"}}}); err == nil {
		t.Error("it became a log")
	}
	if after := state(); !slices.Equal(after, before) {
		t.Errorf("Redis had\n%q, and has\n%q", before, after)
	}
	server.Must("CONFIG", "SET", "maxmemory", "0")
	sent(t, bus, cell("k=2"))
	holds(t, bus, event.Position{}, "l=null, k=2", "")
}

// TestTableWithoutItsKeys takes a table's keys away while its log and its deletions
// are there, as when they expire a moment before: it begins anew, and the loss of
// what it had is told.
func TestTableWithoutItsKeys(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, 1)})
	last := sent(t, bus, cells("k=1", "k=null", "l=1")...)[2].Cursor.Position
	server.Must("DEL", "tt:{0}:now:a")
	sent(t, bus, cells("m=null", "m=1", "n=null")...)
	page := holds(t, bus, event.Position{}, "m=1, n=null", "trimmed")
	if page.Gaps[0].Position != last {
		t.Errorf("the gap is %+v, want it at %v", page.Gaps[0], last)
	}
	holds(t, bus, last, "m=1, n=null", "")
	if _, err := send(t, bus, cell("o=1")); !full(err, "1 keys") {
		t.Errorf("a second key: %v", err)
	}
}
