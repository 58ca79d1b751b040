package redisbus_test

import (
	"fmt"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestClusterFailovers has the slot's primary change by order, and because it
// dies, and then the slot move to another one: nothing is lost, and no gap is
// told.
func TestClusterFailovers(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	n, other := startNode(t, redisbus.Options{URL: c.URL}), startNode(t, redisbus.Options{URL: c.URL})
	all := []event.Topic{"a", "b"}
	live, liveOther := n.open(hub.Start{}, all...), other.open(hub.Start{}, all...)
	first := tell(t, n.bus, "b", "first")[0]
	live.expect("b first")
	liveOther.expect("b first")
	var got string
	for round, move := range []func(){
		func() { c.Failover() },
		func() {
			former := c.Primary(c.Nodes[1])
			former.Kill()
			c.AwaitPrimary(former, c.Nodes[1], c.Nodes[2])
			former.Restart()
		},
		func() { c.Migrate(c.Nodes[1]).End() },
		func() { c.Migrate(c.Nodes[2]).End() },
	} {
		move()
		text := fmt.Sprint("round ", round)
		tell(t, n.bus, "a", text)
		tell(t, other.bus, "b", text)
		expected := fmt.Sprintf("a %s, b %s", text, text)
		live.expect(expected)
		liveOther.expect(expected)
		got += ", " + expected
	}
	n.resume(first, all...).expect(got[2:])
}
