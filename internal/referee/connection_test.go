package referee_test

import (
	"testing"
	"time"

	"tickertape/internal/redistest"
	"tickertape/internal/referee"
)

// Nothing is lost, doubled or called a gap when subscriptions are killed over
// and over.
func TestKilledSubscriptions(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{}, topics...)
	a := c.Listen("a")
	c.Listen("b")
	stop := c.Publish(referee.Traffic{Rate: either(300, 2000), Publishers: either(16, 64)})
	for killed := 0; killed < either(5, 50); {
		flows(c, a, either(50, 500))
		killed += c.Redis.KillClients("pubsub")
	}
	flows(c, a, 50)
	stop()
	c.Finish(nil)
	promptly(t, c)
}

// The same for all connections to Redis.
func TestKilledConnections(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{}, topics...)
	a := c.Listen("a")
	stop := c.Publish(referee.Traffic{Rate: either(300, 2000), Publishers: either(16, 64)})
	for range either(5, 50) {
		flows(c, a, either(50, 500))
		for _, n := range c.Nodes() {
			n.Proxy.Cut()
		}
	}
	flows(c, a, 50)
	stop()
	c.Finish(nil)
	promptly(t, c)
}

// Bytes that vanish, either way, cost time and nothing else.
func TestSwallowedBytes(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]redistest.Direction{"down": redistest.Down, "up": redistest.Up, "both": redistest.Both} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := referee.Start(t, referee.Options{}, topics...)
			a := c.Listen("a")
			c.Listen("b")
			stop := c.Publish(referee.Traffic{Rate: either(200, 1000), Publishers: 32})
			for range either(1, 5) {
				flows(c, a, 50)
				n := c.Nodes()[0]
				n.Proxy.Stall(d)
				before := c.Ledger.Tally()
				c.Await("publishers are told", func() bool {
					now := c.Ledger.Tally()
					return !n.Ready() && (!full() || now.NotStored+now.Unknown > before.NotStored+before.Unknown)
				})
				n.Proxy.Resume()
				c.Await("the node is ready", n.Ready)
			}
			flows(c, a, 50)
			stop()
			c.Finish(nil)
			promptly(t, c)
		})
	}
}

// Scripts that Redis forgets are sent again.
func TestFlushedScripts(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{}, topics...)
	a := c.Listen("a")
	stop := c.Publish(referee.Traffic{Rate: either(300, 2000), Publishers: either(16, 64)})
	for range either(20, 500) {
		flows(c, a, 5)
		c.Redis.Must("SCRIPT", "FLUSH")
	}
	stop()
	c.Finish(nil)
	if tally := c.Ledger.Tally(); tally.NotStored+tally.Unknown > 0 {
		t.Errorf("some were not taken: %+v", tally)
	}
	if slowest := c.Ledger.Slowest(); slowest > 2*time.Second {
		t.Errorf("a publish took %v", slowest)
	}
}
