package redisbus_test

import (
	"fmt"
	"testing"

	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestDatabases has two buses in two databases of one server, with one prefix:
// each has its own events, and hears nothing of the other.
func TestDatabases(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var nodes []*node
	for _, database := range []string{"/0", "/1"} {
		nodes = append(nodes, startNode(t, redisbus.Options{URL: "redis://" + server.Addr + database}))
	}
	for i, n := range nodes {
		if got := server.Must("PUBSUB", "NUMSUB", "tt:{0}:wire", "tt:{0}:wire:1"); got != "tt:{0}:wire\n1\ntt:{0}:wire:1\n1" {
			t.Errorf("listeners: %q", got)
		}
		live := n.open(hub.Start{}, "a")
		tell(t, n.bus, "a", fmt.Sprint(i, " one"), fmt.Sprint(i, " two"))
		live.expect(fmt.Sprintf("a %d one, a %d two", i, i))
	}
}
