package redisbus_test

import (
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

func position(t *testing.T, cursor string) event.Position {
	t.Helper()
	c, err := event.ParseCursor(cursor)
	if err != nil {
		t.Fatal(err)
	}
	return c.Position
}

// TestEmptyStore brings the store back with nothing in it: everyone hears it
// once for each topic, whoever publishes first, and goes on with all of the
// new epoch.
func TestEmptyStore(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]bool{"known publisher": false, "fresh publisher": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			a, proxy := behind(t, server)
			live := a.open(hub.Start{}, "a", "b")
			quiet := a.open(hub.Start{}, "c")
			cursors := tell(t, a.bus, "a", "1", "2")
			tell(t, a.bus, "b", "1")
			last := tell(t, a.bus, "a", "3")[0]
			live.expect("a 1, a 2, b 1, a 3")

			away(proxy)
			server.Kill()
			server.Restart()
			publisher := a.bus
			if fresh {
				publisher = openBus(t, redisbus.Options{URL: server.URL})
			} else {
				proxy.Refuse(false)
			}
			first := tell(t, publisher, "a", "4")[0]
			if !position(t, first).After(position(t, last)) {
				t.Errorf("%v was given out behind %v", position(t, first), position(t, last))
			}
			proxy.Refuse(false)
			live.expect("gap a store_lost, gap b store_lost, a 4")
			quiet.expect("gap c store_lost")

			b := startNode(t, redisbus.Options{URL: server.URL})
			for _, n := range []*node{a, b} {
				for _, id := range append(cursors, last) {
					n.resume(id, "a", "b").expect("gap a store_lost, gap b store_lost, a 4")
				}
				n.open(hub.Start{All: true}, "a", "b").expect("a 4")
				n.open(hub.Start{Last: 10}, "a", "b").expect("a 4")
				n.resume(first, "a", "b")
			}
			streams := []*stream{live, quiet, a.resume(first, "a"), b.resume(first, "a")}
			tell(t, a.bus, "a", "5")
			tell(t, b.bus, "c", "5")
			for i, want := range []string{"a 5", "c 5", "a 5", "a 5"} {
				streams[i].expect(want)
			}
		})
	}
}

// TestFlush empties a store that runs on: FLUSHALL takes the scripts' data,
// SCRIPT FLUSH the scripts.
func TestFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := startNode(t, redisbus.Options{URL: server.URL})
	live := n.open(hub.Start{}, "a")
	last := tell(t, n.bus, "a", "1")[0]
	live.expect("a 1")

	server.Must("SCRIPT", "FLUSH")
	next := tell(t, n.bus, "a", "2")[0]
	live.expect("a 2")
	n.resume(last, "a").expect("a 2")

	server.Must("FLUSHALL")
	first := tell(t, n.bus, "a", "3")[0]
	live.expect("gap a store_lost, a 3")
	n.resume(last, "a").expect("gap a store_lost, a 3")
	n.open(hub.Start{All: true}, "a").expect("a 3")
	if !position(t, first).After(position(t, next)) {
		t.Errorf("%v was given out behind %v", first, next)
	}
}
