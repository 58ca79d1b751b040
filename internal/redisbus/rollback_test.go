package redisbus_test

import (
	"fmt"
	"sync"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestRollback brings the store back from an old dump, and lets a node go on
// first that knows nothing of what was lost. The proof comes later, from a
// node that was away.
func TestRollback(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, proxy := behind(t, server)
	all := []event.Topic{"late", "lost", "whole"}
	live := a.open(hub.Start{}, all...)
	before := tell(t, a.bus, "lost", "1", "2")
	tell(t, a.bus, "whole", "1")
	live.expect("lost 1, lost 2, whole 1")
	server.Save()
	gone := tell(t, a.bus, "lost", "gone 1", "gone 2")
	gone = append(gone, tell(t, a.bus, "late", "gone 3")...) // a topic that the dump does not know
	live.expect("lost gone 1, lost gone 2, late gone 3")

	away(proxy)
	server.Kill()
	server.Restart()
	b := startNode(t, redisbus.Options{URL: server.URL})
	liveB := b.open(hub.Start{}, all...)
	between := b.resume(before[1], all...) // with what it had when the dump was made
	beyond := b.resume(gone[1], all...)    // with what is lost
	tell(t, b.bus, "lost", "3")
	tell(t, b.bus, "whole", "3")
	fresh := tell(t, b.bus, "late", "3")
	for _, s := range []*stream{liveB, beyond} {
		s.expect("lost 3, whole 3, late 3")
	}
	between.expect("whole 1, lost 3, whole 3, late 3")

	proxy.Refuse(false)
	live.until("both losses are told", func() bool { return len(live.got) >= 5 })
	settled(t, a, b)
	tell(t, a.bus, "whole", "4")
	live.apart("lost 3, whole 3, late 3, whole 4", "gap late store_lost, gap lost store_lost")
	for _, s := range []*stream{liveB, between, beyond, b.resume(fresh[0], all...), a.resume(fresh[0], all...)} {
		s.apart("whole 4", "gap late store_lost, gap lost store_lost")
	}
	for _, n := range []*node{a, b, startNode(t, redisbus.Options{URL: server.URL})} {
		n.resume(before[0], "lost").expect("lost 2, lost 3, gap lost store_lost")
		n.resume(before[1], "lost").expect("lost 3, gap lost store_lost")
		n.resume(gone[0], "lost").expect("lost 3, gap lost store_lost")
		n.resume(gone[2], "late").expect("late 3, gap late store_lost")
		n.resume(before[0], "whole").expect("whole 1, whole 3, whole 4")
		n.resume(gone[2], "whole").expect("whole 3, whole 4")
		n.open(hub.Start{All: true}, "lost").expect("lost 1, lost 2, lost 3")
	}
	after := tell(t, b.bus, "lost", "5")[0]
	for i, n := range []*node{a, b} {
		n.resume(gone[0], "lost").ends("lost 5")
		s := n.resume(after, "lost")
		after = tell(t, n.bus, "lost", fmt.Sprint("on ", i))[0]
		s.expect(fmt.Sprint("lost on ", i))
	}
}

// TestTwoWitnesses has two nodes prove the same loss: it is told once.
func TestTwoWitnesses(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := startNode(t, redisbus.Options{URL: server.URL}), startNode(t, redisbus.Options{URL: server.URL})
	streams := []*stream{a.open(hub.Start{}, "a", "b"), b.open(hub.Start{}, "a", "b")}
	tell(t, a.bus, "b", "1")
	server.Save()
	tell(t, a.bus, "a", "gone 1")
	gone := tell(t, b.bus, "a", "gone 2")[0]
	for _, s := range streams {
		s.expect("b 1, a gone 1, a gone 2")
	}
	server.Kill()
	server.Restart()
	for _, s := range streams {
		s.expect("gap a store_lost")
	}
	settled(t, a, b)
	tell(t, b.bus, "b", "2")
	for _, s := range streams {
		s.expect("b 2")
	}
	a.resume(gone, "a", "b").expect("gap a store_lost, b 2")
}

// settled waits until each node has made some beats more, and so reported
// what it knows to be lost.
func settled(t *testing.T, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		for range 3 {
			clock, err := n.bus.Clock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s := n.open(hub.Start{}, "settled")
			eventually(t, "a beat comes", func() bool {
				s.sub.Take(nil, 1)
				return position(t, s.sub.Cursor()).MS > clock.Position.MS+uint64(beat.Milliseconds())
			})
		}
	}
}

// TestWitnessByReceipt has a node know what was lost by its own receipt only:
// it hears nothing of the wire.
func TestWitnessByReceipt(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := openBus(t, redisbus.Options{URL: server.URL})
	b, proxy := behind(t, server)
	live := b.open(hub.Start{}, "a")
	tell(t, publisher, "a", "1")
	live.expect("a 1")
	server.Save()
	away(proxy)
	tell(t, publisher, "a", "gone")
	server.Kill()
	server.Restart()
	proxy.Refuse(false)
	live.expect("gap a store_lost")
	tell(t, publisher, "a", "2")
	live.expect("a 2")
}

// TestProofAfterAnotherEpoch has the proof come when the epoch that followed
// the loss has ended too, without a loss.
func TestProofAfterAnotherEpoch(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, proxy := behind(t, server)
	live := a.open(hub.Start{}, "a", "b")
	kept := tell(t, a.bus, "a", "1")[0]
	server.Save()
	gone := tell(t, a.bus, "a", "gone")[0]
	live.expect("a 1, a gone")
	away(proxy)
	server.Kill()
	server.Restart()
	b := startNode(t, redisbus.Options{URL: server.URL})
	liveB := b.open(hub.Start{}, "a", "b")
	tell(t, b.bus, "a", "2")
	tell(t, b.bus, "b", "2")
	liveB.expect("a 2, b 2")
	server.Save()
	server.Kill()
	server.Restart()
	tell(t, b.bus, "b", "3")
	liveB.expect("b 3")
	proxy.Refuse(false)
	liveB.expect("gap a store_lost")
	tell(t, a.bus, "b", "4")
	live.apart("a 2, b 2, b 3, b 4", "gap a store_lost")
	for _, n := range []*node{a, b} {
		for _, id := range []string{kept, gone} {
			n.resume(id, "a", "b").apart("a 2, b 2, b 3, b 4", "gap a store_lost")
		}
	}
	liveB.expect("b 4")
}

// TestLossOfTheReport rolls the store back twice to the same dump: what was
// lost the first time was said in an epoch that is lost itself, so it has to
// be said again; and what that epoch had of its own is lost too.
func TestLossOfTheReport(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := startNode(t, redisbus.Options{URL: server.URL})
	live := a.open(hub.Start{}, "a", "b", "c")
	kept := tell(t, a.bus, "a", "1")[0]
	tell(t, a.bus, "b", "1")
	tell(t, a.bus, "c", "1")
	server.Save()
	tell(t, a.bus, "a", "gone")
	live.expect("a 1, b 1, c 1, a gone")
	server.Kill()
	server.Restart()
	live.expect("gap a store_lost")
	tell(t, a.bus, "b", "gone too")
	live.expect("b gone too")
	server.Kill()
	server.Restart()
	tell(t, a.bus, "c", "2")
	live.ends("c 2")
	settled(t, a)
	tell(t, a.bus, "c", "3")

	b := startNode(t, redisbus.Options{URL: server.URL})
	for _, n := range []*node{a, b} {
		got := map[string]int{}
		for _, x := range n.resume(kept, "a", "b", "c").ends("c 3") {
			got[x]++
		}
		if got["gap a store_lost"] != 1 || got["gap b store_lost"] != 1 || got["gap c store_lost"] != 0 || got["b 1"] != 1 || got["c 2"] != 1 || len(got) != 6 {
			t.Errorf("who slept through both losses got %v", got)
		}
	}
}

// TestLossAmidPublishes has a loss reported while many publish to the topic:
// no event hides behind it.
func TestLossAmidPublishes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, proxy := behind(t, server)
	live := a.open(hub.Start{}, "a")
	tell(t, a.bus, "a", "1")
	live.expect("a 1")
	wire := &orderly{t: t}
	listener := openBus(t, redisbus.Options{URL: server.URL})
	runSink(t, listener, wire)
	const publishers, each = 40, 30
	for round := range 3 {
		server.Save()
		gone := fmt.Sprint("gone ", round)
		tell(t, a.bus, "a", gone)
		live.expect("a " + gone)
		away(proxy)
		server.Kill()
		server.Restart()
		proxy.Refuse(false)
		var running sync.WaitGroup
		for p := range publishers {
			running.Go(func() {
				for i := range each {
					tell(t, a.bus, "a", fmt.Sprint(round, " ", p, " ", i))
				}
			})
		}
		running.Wait()
		settled(t, a)
		last := fmt.Sprint("end ", round)
		tell(t, a.bus, "a", last)
		seen := map[string]int{}
		for _, x := range live.ends("a " + last) {
			seen[x]++
		}
		if len(seen) != publishers*each+2 || seen["gap a store_lost"] != 1 {
			t.Fatalf("round %d: %d different blocks, want %d; %d gaps", round, len(seen), publishers*each+2, seen["gap a store_lost"])
		}
		for x, n := range seen {
			if n != 1 {
				t.Errorf("%q came %d times", x, n)
			}
		}
	}
}

// orderly is a sink that wants losses to stand behind all events of a stretch.
type orderly struct{ t *testing.T }

func (o *orderly) Feed(s event.Stretch) {
	for _, l := range s.Losses {
		if n := len(s.Events); n > 0 && s.Events[n-1].Position.After(l.Gap.Position) {
			o.t.Errorf("an event at %v stands behind a loss at %v", s.Events[n-1].Position, l.Gap.Position)
		}
		if l.Prev.IsZero() || !l.Gap.Position.After(l.Prev) {
			o.t.Errorf("the loss at %v of a topic that had events stands behind %v", l.Gap.Position, l.Prev)
		}
	}
}

func (o *orderly) Topics() []event.Topic { return nil }
