package redisbus_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

const shortLife = 300 * time.Millisecond

// end lies behind every event.
var end = event.Position{MS: 1 << 47}

// TestLifeOfALog follows a topic over the end of its log, once while the books
// still know it, and once when the sweep has dropped it.
func TestLifeOfALog(t *testing.T) {
	t.Parallel()
	for name, swept := range map[string]bool{"in the books": false, "swept": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			rest := time.Hour // without beats, nothing is swept
			if swept {
				rest = beat
			}
			limits := event.Retention{Age: shortLife, Bytes: 2500, Messages: 100}
			bus := openBus(t, redisbus.Options{URL: server.URL, Retention: limits, Beat: rest})
			ids := tell(t, bus, "a", strings.Repeat("x", 1000), strings.Repeat("y", 1000))
			last := position(t, ids[1])
			eventually(t, "the log expires", func() bool {
				return server.Must("EXISTS", "tt:{0}:log:a") == "0" && (!swept || server.Must("ZCARD", "tt:{0}:topics") == "0")
			})
			want := event.Gap{Position: last, Since: last.Add(shortLife), Reason: event.Expired}
			for _, after := range []event.Position{{}, position(t, ids[0])} {
				read(t, bus, after, end, want)
			}
			read(t, bus, last, end, event.Gap{})
			if info, known, err := bus.Topic(t.Context(), "a"); err != nil || known == swept || info.Retained != 0 {
				t.Errorf("the topic is %+v, known: %v, %v", info, known, err)
			}

			// It goes on where it was, and with nothing in it: two events of
			// this size are below its limit.
			next := tell(t, bus, "a", strings.Repeat("z", 1000), strings.Repeat("u", 1000))
			for _, after := range []event.Position{{}, position(t, ids[0])} {
				read(t, bus, after, end, want, next...)
			}
			read(t, bus, last, end, event.Gap{}, next...)
			page := history(t, bus, last, end)
			if page.Events[0].Prev != last {
				t.Errorf("Prev is %v, want %v", page.Events[0].Prev, last)
			}
		})
	}
}

func history(t *testing.T, bus *redisbus.Bus, after, upto event.Position) event.Page {
	t.Helper()
	page, err := bus.History(t.Context(), event.Range{Topic: "a", After: after, Upto: upto})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// read reads topic a and checks the page's one gap, or none, and its events.
func read(t *testing.T, bus *redisbus.Bus, after, upto event.Position, gap event.Gap, ids ...string) {
	t.Helper()
	page := history(t, bus, after, upto)
	var gaps []event.Gap
	if gap != (event.Gap{}) {
		gaps = []event.Gap{gap}
	}
	var got []string
	for _, e := range page.Events {
		got = append(got, e.Cursor().String())
	}
	if !slices.Equal(page.Gaps, gaps) || !slices.Equal(got, ids) || page.After != after || page.Upto != upto {
		t.Fatalf("behind %v: got %d events, %+v, want %d, %+v", after, len(got), page, len(ids), gaps)
	}
}

// TestExpiryInTheMiddle has some of a topic's events too old and others not.
// The log's own time to live begins anew with each of them.
func TestExpiryInTheMiddle(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := startNode(t, redisbus.Options{URL: server.URL, Retention: event.Retention{Age: time.Second}})
	old := tell(t, n.bus, "a", "1", "2")
	eventually(t, "they get older", func() bool {
		return len(history(t, n.bus, event.Position{}, end).Events) == 2 && time.Since(position(t, old[1]).Time()) > 700*time.Millisecond
	})
	fresh := tell(t, n.bus, "a", "3")
	eventually(t, "they are too old", func() bool { return len(history(t, n.bus, event.Position{}, end).Events) == 1 })
	if length := server.Must("XLEN", "tt:{0}:log:a"); length != "3" {
		t.Fatalf("the log has %s entries: this test is about those that no publish has cut off", length)
	}
	last := position(t, old[1])
	gap := event.Gap{Position: last, Since: last.Add(time.Second), Reason: event.Expired}
	read(t, n.bus, event.Position{}, end, gap, fresh...)
	read(t, n.bus, position(t, old[0]), end, gap, fresh...)
	read(t, n.bus, event.Position{}, last, gap)
	read(t, n.bus, last, end, event.Gap{}, fresh...)
	n.resume(old[0], "a").expect("gap a expired, a 3")
	settled(t, n) // the watermark has passed their end
	n.open(hub.Start{All: true}, "a").expect("a 3")
}

// TestSweptWhileAway has a node miss an event, and come back when it has
// expired and its topic was dropped from the books: its streams are told.
func TestSweptWhileAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	limits := event.Retention{Age: shortLife}
	n := startNode(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0", Retention: limits})
	live := n.open(hub.Start{}, "a")
	tell(t, n.bus, "a", "1")
	live.expect("a 1")
	if _, state := live.sub.Take(nil, 1); state != hub.Idle {
		t.Fatalf("the stream is in state %v, want idle", state)
	}
	other := openBus(t, redisbus.Options{URL: server.URL, Retention: limits})
	away(proxy)
	tell(t, other, "a", "missed")
	eventually(t, "the topic is dropped", func() bool { return server.Must("ZCARD", "tt:{0}:topics") == "0" })
	proxy.Refuse(false)
	eventually(t, "the node hears again", func() bool { return n.bus.Ready() == nil })
	tell(t, other, "a", "2")
	live.expect("gap a overrun, a 2")
}
