package referee_test

import (
	"testing"

	"tickertape/internal/referee"
)

// Clients of a node that dies, and of all when they are replaced one by one,
// miss nothing.
func TestKilledNodes(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{Nodes: 3}, topics...)
	a := c.Listen("a")
	for _, name := range []string{"b", "c", "d"} {
		c.Listen(name)
	}
	stop := c.Publish(referee.Traffic{Rate: either(300, 1000), Retry: true})
	flows(c, a, 50)
	c.Kill(c.Nodes()[0])
	flows(c, a, 50)
	for range either(1, 5) {
		for _, old := range c.Nodes() {
			fresh := c.StartNode()
			c.Await("the fresh node is ready", fresh.Ready)
			flows(c, a, 20)
			c.Kill(old)
		}
	}
	flows(c, a, 50)
	stop()
	c.Finish(nil)
	if tally := c.Ledger.Tally(); tally.NotStored+tally.Unknown > 0 {
		t.Errorf("some retries were not taken: %+v", tally)
	}
}
