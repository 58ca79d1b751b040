package limit_test

import (
	"math"
	"time"
)

// bounds is what a storm must not exceed.
type bounds struct {
	back     time.Duration // until all are
	attempts int32         // of 99 % of the crowd
	rush     float64       // at one node in a second, as a multiple of what it lets in
	wait     time.Duration // of 99 % of the newcomers
}

// usual are those of a crowd that would be let in within 100 seconds if nobody else
// came. A fifth is kept for others, so it takes 125; and advice has 20 % of its own.
func usual() bounds {
	return bounds{back: 155 * time.Second, attempts: 3, rush: 1, wait: 100 * time.Millisecond}
}

func (b bounds) within(d time.Duration) bounds {
	b.back = d
	return b
}

// fault is something that bounds forbid.
type fault string

const (
	flooded fault = "a node lets in more than it may"
	late    fault = "they are back late"
	often   fault = "they try too often"
	rush    fault = "a node is not left in peace"
	starved fault = "newcomers are let in late"
)

func (c *chronicle) faults(b bounds) (found []fault) {
	for _, row := range []struct {
		name fault
		is   bool
	}{
		{flooded, c.above() > math.Ceil(c.storm.perSecond)+1e-6},
		{late, len(c.returns) < c.storm.crowd || quantile(c.returns, 1) > b.back},
		{often, quantile(c.attempts, 0.99) > b.attempts},
		{rush, c.rush() > b.rush*(1+5/math.Sqrt(c.storm.perSecond))}, // of few, sometimes many come at once
		{starved, quantile(c.waits, 0.99) > b.wait},
	} {
		if row.is {
			found = append(found, row.name)
		}
	}
	return found
}
