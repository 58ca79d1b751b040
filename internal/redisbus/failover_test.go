package redisbus_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestFailover promotes a replica behind one address. Nothing is lost, said
// twice, or read from the old primary, which goes on as a stale one.
func TestFailover(t *testing.T) {
	t.Parallel()
	for name, demoted := range map[string]bool{"the old primary follows": true, "the old primary is left alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := redistest.Start(t)
			host, port, _ := strings.Cut(old.Addr, ":")
			next := redistest.Start(t, "--replicaof", host+" "+port)
			proxy := redistest.StartProxy(t, old.Addr)
			n := startNode(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0"})
			live := n.open(hub.Start{}, "a", "b")
			first := tell(t, n.bus, "a", "1")[0]
			tell(t, n.bus, "b", "1", "2")
			live.expect("a 1, b 1, b 2")
			// Open connections to read by, which stay where they are.
			if _, err := n.bus.Topics(t.Context(), nil, "", 10); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the replica has it all", func() bool {
				return next.Must("XLEN", "tt:{0}:log:b") == "2" && next.Must("HGET", "tt:{0}:clock", "last") >= old.Must("HGET", "tt:{0}:clock", "last")
			})

			proxy.Target(next.Addr)
			next.Must("REPLICAOF", "NO", "ONE")
			if demoted {
				// A replica without its primary: it has what it had.
				old.Must("REPLICAOF", "127.0.0.1", "1")
			} else {
				old.KillClients("normal")
				old.KillClients("pubsub")
			}
			tell(t, n.bus, "a", "2", "3")
			tell(t, n.bus, "b", "3")
			live.expect("a 2, a 3, b 3")
			n.resume(first, "a", "b").expect("b 1, b 2, a 2, a 3, b 3")
			info, known, err := n.bus.Topic(t.Context(), "a")
			if err != nil || !known || info.Retained != 3 {
				t.Errorf("topic a is %+v, %v", info, err)
			}
			page, err := n.bus.History(t.Context(), event.Range{Topic: "a", Upto: event.Position{MS: 1 << 47}})
			if err != nil || len(page.Events) != 3 || len(page.Gaps) > 0 {
				t.Errorf("the history is %+v, %v", page, err)
			}
			for i := range 5 {
				tell(t, n.bus, "a", fmt.Sprint("more ", i))
				live.expect(fmt.Sprint("a more ", i))
			}
		})
	}
}

// soon has a primary send its data to a replica at once.
var soon = []string{"--repl-diskless-sync-delay", "0"}

// replicaOf starts a server that follows another one.
func replicaOf(t *testing.T, primary *redistest.Server) *redistest.Server {
	t.Helper()
	return redistest.Start(t, append(slices.Clone(soon), "--replicaof", strings.ReplaceAll(primary.Addr, ":", " "))...)
}

// follow has a server follow another one.
func follow(s, primary *redistest.Server) {
	host, port, _ := strings.Cut(primary.Addr, ":")
	s.Must("REPLICAOF", host, port)
}

// TestConnectionsApart moves the address to another primary while the former
// one stays and keeps the node's connection to write by: where the node comes
// to hear another server than it writes to, it goes over to that one.
func TestConnectionsApart(t *testing.T) {
	t.Parallel()
	old := redistest.Start(t, soon...)
	host, port, _ := strings.Cut(old.Addr, ":")
	next := redistest.Start(t, "--replicaof", host+" "+port)
	proxy := redistest.StartProxy(t, old.Addr)
	n := startNode(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0"})
	live := n.open(hub.Start{}, "a")
	tell(t, n.bus, "a", "1")
	live.expect("a 1")
	eventually(t, "the replica has it", func() bool { return next.Must("XLEN", "tt:{0}:log:a") == "1" })
	proxy.Target(next.Addr)
	next.Must("REPLICAOF", "NO", "ONE")
	other := openBus(t, redisbus.Options{URL: next.URL})
	old.KillClients("pubsub")
	for i := range 3 {
		text := fmt.Sprint("other ", i)
		tell(t, other, "a", text)
		live.expect("a " + text)
	}
}

// startReplicated starts a node over a server, and a replica of that.
func startReplicated(t *testing.T) (server, replica *redistest.Server, n *node) {
	t.Helper()
	server = redistest.Start(t, soon...)
	return server, replicaOf(t, server), startNode(t, redisbus.Options{URL: server.URL})
}

// goBack has the server be what the other one is, which has one event of a.
func goBack(t *testing.T, server, other *redistest.Server) {
	t.Helper()
	follow(server, other)
	eventually(t, "it has what the other one has", func() bool { return server.Must("XLEN", "tt:{0}:log:a") == "1" })
	server.Must("REPLICAOF", "NO", "ONE")
}

// TestOlderDataWithoutRestart has a primary follow another server for a while,
// which has less: it comes back as the server run that wrote last, in the
// epoch that it was in.
func TestOlderDataWithoutRestart(t *testing.T) {
	t.Parallel()
	server, less, n := startReplicated(t)
	live := n.open(hub.Start{}, "a", "b")
	first := tell(t, n.bus, "a", "1")[0]
	tell(t, n.bus, "b", "1")
	live.expect("a 1, b 1")
	eventually(t, "the replica has it", func() bool { return less.Must("XLEN", "tt:{0}:log:b") == "1" })
	less.Must("REPLICAOF", "NO", "ONE")
	gone := tell(t, n.bus, "a", "gone")[0]
	live.expect("a gone")

	goBack(t, server, less)
	live.expect("gap a store_lost")
	tell(t, n.bus, "a", "2")
	tell(t, n.bus, "b", "2")
	live.expect("a 2, b 2")
	n.resume(first, "a", "b").expect("b 1, gap a store_lost, a 2, b 2")
	n.resume(gone, "a", "b").expect("gap a store_lost, a 2, b 2")
}

// TestOlderDataTwice has a primary follow the same other server once more: what it
// was told of the first loss is gone with that, and so is the epoch that it had
// begun since, with what was taken in that.
func TestOlderDataTwice(t *testing.T) {
	t.Parallel()
	server, less, n := startReplicated(t)
	live := n.open(hub.Start{}, "a", "b")
	first := tell(t, n.bus, "a", "1")[0]
	eventually(t, "the replica has it", func() bool { return less.Must("XLEN", "tt:{0}:log:a") == "1" })
	less.Must("REPLICAOF", "NO", "ONE")
	gone := tell(t, n.bus, "a", "gone")[0]
	live.expect("a 1, a gone")
	for i := range 2 {
		goBack(t, server, less)
		live.until("the loss is told", func() bool { return slices.Contains(live.got, "gap a store_lost") })
		tell(t, n.bus, "b", fmt.Sprint(i+1))
		live.until("it goes on", func() bool { return slices.Contains(live.got, fmt.Sprint("b ", i+1)) })
		live.got = nil
	}
	n.resume(first, "a", "b").apart("b 2", "gap a store_lost, gap b store_lost")
	n.resume(gone, "a", "b").apart("b 2", "gap a store_lost, gap b store_lost")
}

// TestHistoryOfOneThatFollows has a primary follow another server, which has
// less, and stay in the epoch that it was in: what it has now is not what there
// was.
func TestHistoryOfOneThatFollows(t *testing.T) {
	t.Parallel()
	server, less, n := startReplicated(t)
	live := n.open(hub.Start{}, "a")
	tell(t, n.bus, "a", "1")
	live.expect("a 1")
	eventually(t, "the replica has it", func() bool { return less.Must("XLEN", "tt:{0}:log:a") == "1" })
	less.Must("REPLICAOF", "NO", "ONE")
	gone, err := event.ParseCursor(tell(t, n.bus, "a", "gone")[0])
	if err != nil {
		t.Fatal(err)
	}
	live.expect("a gone")
	follow(server, less)
	eventually(t, "it has what the other one has", func() bool { return server.Must("XLEN", "tt:{0}:log:a") == "1" })
	if page, err := n.bus.History(t.Context(), event.Range{Topic: "a", Upto: gone.Position}); err == nil {
		t.Errorf("up to %v it has %+v", gone.Position, page)
	}
}

// TestLoserGoesOn has two primaries, each with a node of its own. The winner
// hears from its node what it lacks; what the loser takes after that is lost
// too, and told anew, but only for the topic in which it stood.
func TestLoserGoesOn(t *testing.T) {
	t.Parallel()
	loser := redistest.Start(t, soon...)
	winner := replicaOf(t, loser)
	a, wayA := behind(t, loser)
	b, wayB := behind(t, loser)
	liveA, liveB := a.open(hub.Start{}, "a", "b"), b.open(hub.Start{}, "a", "b")
	tell(t, a.bus, "a", "1")
	tell(t, a.bus, "b", "1")
	eventually(t, "the replica has it", func() bool { return winner.Must("XLEN", "tt:{0}:log:b") == "1" })
	winner.Must("REPLICAOF", "NO", "ONE")
	tell(t, a.bus, "a", "gone 1")
	tell(t, a.bus, "b", "gone 1")
	for _, s := range []*stream{liveA, liveB} {
		s.expect("a 1, b 1, a gone 1, b gone 1")
	}

	wayB.Target(winner.Addr)
	wayB.Cut()
	liveB.until("both losses are told", func() bool { return len(liveB.got) >= 2 })
	tell(t, b.bus, "b", "2")
	liveB.apart("b 2", "gap a store_lost, gap b store_lost")
	told := position(t, liveB.id)
	eventually(t, "the clock goes on", func() bool { return time.Now().UnixMilli() > int64(told.MS) })
	tell(t, a.bus, "a", "gone 2")
	liveA.expect("a gone 2")

	wayA.Target(winner.Addr)
	loser.Kill()
	liveB.expect("gap a store_lost")
	settled(t, a, b)
	tell(t, b.bus, "b", "3")
	liveB.expect("b 3")
	b.resume(event.Cursor{Epoch: liveB.last["b"].Epoch, Position: told}.String(), "a", "b").expect("gap a store_lost, b 3")
}

// TestBackToTheFirst leads a node to a replica that was made a primary, and back
// to the first one, which is still in the epoch from before: what the other one
// took is lost.
func TestBackToTheFirst(t *testing.T) {
	t.Parallel()
	first := redistest.Start(t, soon...)
	other := replicaOf(t, first)
	n, way := behind(t, first)
	kept := tell(t, n.bus, "a", "1")[0]
	eventually(t, "the replica has it", func() bool { return other.Must("XLEN", "tt:{0}:log:a") == "1" })
	other.Must("REPLICAOF", "NO", "ONE")
	way.Target(other.Addr)
	way.Cut()
	tell(t, n.bus, "a", "gone")
	way.Target(first.Addr)
	other.Kill()
	tell(t, n.bus, "b", "1")
	settled(t, n)
	away := n.resume(kept, "a", "b")
	away.apart("b 1", "gap a store_lost")
	tell(t, n.bus, "b", "2")
	away.expect("b 2")
	n.resume(kept, "a", "b").apart("b 1, b 2", "gap a store_lost")
}
