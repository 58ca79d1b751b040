package referee_test

import (
	"strings"
	"testing"
	"time"

	"tickertape/internal/referee"
)

// A subscription of which nothing comes any more, while all else works, is
// found by the beats, without any traffic.
func TestDeadSubscription(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{}, topics...)
	deaf, other := c.Nodes()[0], c.Nodes()[1]
	a := c.ListenAt(deaf, "a")
	for range either(2, 10) {
		addr := deafen(t, c, deaf)
		began := time.Now()
		c.Send(other, "news", 0, false)
		flows(c, a, 1)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("repaired after %v", took)
		}
		c.Await("the dead subscription is left", func() bool { return !strings.Contains(subscriptions(c), addr) })
	}
	c.Finish(nil)
}

// deafen kills a node's subscription without anybody being told, and returns
// the address that Redis knows it by.
func deafen(t *testing.T, c *referee.Cluster, n *referee.Node) string {
	t.Helper()
	for field := range strings.FieldsSeq(subscriptions(c)) {
		if addr, ok := strings.CutPrefix(field, "addr="); ok && n.Proxy.Deafen(addr) {
			return field
		}
	}
	t.Fatal("the node has no subscription")
	return ""
}

// subscriptions returns Redis' list of them.
func subscriptions(c *referee.Cluster) string {
	return c.Redis.Must("CLIENT", "LIST", "TYPE", "pubsub")
}

// When the way to Redis is open again, a second is enough to catch up.
func TestReturnOfTheConnection(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{}, topics...)
	away, other := c.Nodes()[0], c.Nodes()[1]
	a, b := c.ListenAt(away, "a"), c.ListenAt(other, "b")
	stop := c.Publish(referee.Traffic{Rate: 100, Via: other})
	for range either(3, 20) {
		away.Proxy.Refuse(true)
		away.Proxy.Cut()
		flows(c, b, 200)
		away.Proxy.Refuse(false)
		began, last := time.Now(), b.Last()
		c.Await("a catches up", func() bool { return !last.After(a.Last()) })
		// Beside other tests, the machine may take its time too.
		if took := time.Since(began); took > either(3*time.Second, time.Second) {
			t.Errorf("caught up after %v", took)
		}
	}
	stop()
	c.Finish(nil)
}
