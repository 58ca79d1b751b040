package redisbus_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestClusterFailovers has the slot's primary change by order, and because it
// dies, and then the slot move to others: nothing is lost, and no gap is told.
func TestClusterFailovers(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	m := watchMoves(t, c.URLOf(c.Nodes[1], c.Nodes[2])) // the others are found by these
	m.after(func() { c.Failover() })
	m.after(func() {
		former := c.Primary(c.Nodes[1])
		caughtUp(t, former)
		former.Kill()
		c.AwaitPrimary(former, c.Nodes[1], c.Nodes[2])
		former.Restart()
	})
	m.after(func() { c.Migrate(c.Nodes[1]).End() })
	m.after(func() { c.Migrate(c.Nodes[2]).End() })
	m.end()
}

func TestClusterPrimaryLost(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	old := c.Nodes[0]
	primaryLost(t, c.URL, old, c.Nodes[3:], func() { c.AwaitPrimary(old, c.Nodes[1:]...) })
}

func TestClusterPartition(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	old := c.Nodes[0]
	leaveOldPrimary(t, c.URL, old, redistest.Side{Members: c.Nodes[:1]}, redistest.Side{Members: c.Nodes[1:]},
		func() *redistest.Member { return c.AwaitPrimary(old, c.Nodes[1:]...) })
}

// TestSlotMoves moves the slot, key by key, while two nodes publish and return:
// nothing is lost, doubled or out of order, and no gap is told.
func TestSlotMoves(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	nodes := []*node{startNode(t, redisbus.Options{URL: c.URL}), startNode(t, redisbus.Options{URL: c.URL})}
	topics := []event.Topic{"a", "b"}
	live := []*stream{nodes[0].open(hub.Start{}, topics...), nodes[1].open(hub.Start{}, topics...)}
	first := tell(t, nodes[0].bus, "a", "first")[0]
	const each = 300
	var publishing sync.WaitGroup
	for i, n := range nodes {
		publishing.Go(func() {
			for k := range each {
				tell(t, n.bus, string(topics[i]), fmt.Sprint(k))
			}
		})
	}
	for _, to := range []*redistest.Member{c.Nodes[1], c.Nodes[2]} {
		m := c.Migrate(to)
		for range 20 {
			m.Move(1)
		}
		// These wait for the end of the move.
		stored, read := begin(t, nodes[0].bus, patience, "moved", ""), make(chan error, 1)
		go func() {
			_, err := nodes[1].bus.History(t.Context(), event.Range{Topic: "a", Upto: event.Position{MS: 1 << 47}})
			read <- err
		}()
		m.End()
		if o := <-stored; o.err != nil {
			t.Errorf("a publish ended with %v", o.err)
		}
		if err := <-read; err != nil {
			t.Errorf("a read ended with %v", err)
		}
	}
	publishing.Wait()
	tell(t, nodes[0].bus, "b", "end")
	for _, s := range append(live, nodes[0].resume(first, topics...), nodes[1].resume(first, topics...)) {
		next := map[string]int{}
		for _, x := range s.ends("b end") {
			var topic string
			var k int
			if _, err := fmt.Sscanf(x, "%s %d", &topic, &k); err != nil {
				next[x]++
				continue
			}
			if k != next[topic] {
				t.Fatalf("%s %d came, want %d", topic, k, next[topic])
			}
			next[topic]++
		}
		delete(next, "a first") // who was there from the beginning has it
		if want := map[string]int{"a": each, "b": each, "a moved": 2, "b end": 1}; !maps.Equal(next, want) {
			t.Errorf("%v came, want %v", next, want)
		}
	}
}
