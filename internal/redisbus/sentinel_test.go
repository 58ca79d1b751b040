package redisbus_test

import (
	"fmt"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestSentinelFailovers has the primary move twice by order, and once because
// it dies: nothing is lost, and no gap is told.
func TestSentinelFailovers(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	n, other := startNode(t, redisbus.Options{URL: s.URL}), startNode(t, redisbus.Options{URL: s.URL})
	all := []event.Topic{"a", "b"}
	live, liveOther := n.open(hub.Start{}, all...), other.open(hub.Start{}, all...)
	first := tell(t, n.bus, "b", "first")[0]
	live.expect("b first")
	liveOther.expect("b first")
	var got string
	for round, move := range []func(){
		func() { s.Failover() },
		func() { s.Failover() },
		func() {
			former := s.Primary(s.Watch[0])
			former.Kill()
			s.AwaitPrimary(former, s.Watch...)
		},
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
