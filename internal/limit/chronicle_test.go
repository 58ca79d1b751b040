package limit_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"tickertape/internal/limit"
)

const (
	// wave is when all whose streams broke have knocked once.
	wave = 5 * time.Second
	// answering is for how long the balancer counts one that is sent away. If it were no
	// time, all would be sent to the node that has no room.
	answering = 10 * time.Millisecond
)

// chronicle is what becomes of a storm.
type chronicle struct {
	storm   storm
	doors   []*limit.Admission
	streams []int // of each node, as the balancer counts them
	leaving []leaver
	ledgers []ledger
	seconds []second

	returns  []time.Duration // when each of the crowd was let in
	attempts []int32         // that it took
	waits    []time.Duration // of newcomers who came when the wave was over
	caught   []time.Duration // of those who came before
}

// leaver has been sent away from a node.
type leaver struct {
	node int
	at   time.Duration
}

// second is what happens in one.
type second struct {
	attempts []int // at each node
	in, back int   // streams let in; of the crowd, since the beginning
	advice   []time.Duration
	median   time.Duration // of the advice, when the second is over; zero: nobody was sent away
	most     time.Duration // of 99 % of it
}

// close sums the advice up: there are millions of them.
func (s *second) close() {
	s.median, s.most = quantile(s.advice, 0.5), quantile(s.advice, 0.99)
	s.advice = nil
}

func (s *second) knocks() (sum float64) {
	for _, n := range s.attempts {
		sum += float64(n)
	}
	return sum
}

// ledger finds out how many a node has let in above its rate, in the worst of all
// stretches of time.
type ledger struct {
	above, most float64
	last        time.Duration
}

func (l *ledger) in(at time.Duration, perSecond float64) {
	l.above = max(0, l.above-perSecond*(at-l.last).Seconds()) + 1
	l.most, l.last = max(l.most, l.above), at
}

func newChronicle(s storm) *chronicle {
	c := &chronicle{storm: s, streams: make([]int, s.nodes), ledgers: make([]ledger, s.nodes)}
	for range s.nodes {
		c.doors = append(c.doors, limit.NewAdmission(s.perSecond))
	}
	return c
}

// knock has one come to a node. Times must not go back.
func (c *chronicle) knock(b *browser, at time.Duration) (wait time.Duration, in bool) {
	node, now := c.pick(at), c.second(at)
	if b.attempts == 0 {
		b.came = at
	}
	b.attempts++
	now.attempts[node]++
	c.streams[node]++
	away, in := c.doors[node].Enter()
	if in {
		now.in++
		c.ledgers[node].in(at, c.storm.perSecond)
		c.letIn(b, now, at)
		return 0, true
	}
	c.leaving = append(c.leaving, leaver{node, at + answering})
	if wait = told(); !c.storm.same {
		wait = away
	}
	now.advice = append(now.advice, wait)
	return wait, false
}

// pick is the balancer.
func (c *chronicle) pick(at time.Duration) int {
	for len(c.leaving) > 0 && c.leaving[0].at <= at {
		c.streams[c.leaving[0].node]--
		c.leaving = c.leaving[1:]
	}
	node := rand.N(c.storm.nodes)
	if !c.storm.fewest {
		return node
	}
	first := node
	for i := range c.storm.nodes {
		if other := (first + i) % c.storm.nodes; c.streams[other] < c.streams[node] {
			node = other
		}
	}
	return node
}

// second returns the one of that time.
func (c *chronicle) second(at time.Duration) *second {
	for time.Duration(len(c.seconds)) <= at/time.Second {
		next := second{attempts: make([]int, c.storm.nodes)}
		if n := len(c.seconds); n > 0 {
			c.seconds[n-1].close()
			next.back = c.seconds[n-1].back
		}
		c.seconds = append(c.seconds, next)
	}
	return &c.seconds[len(c.seconds)-1]
}

func (c *chronicle) letIn(b *browser, now *second, at time.Duration) {
	switch {
	case !b.newcomer:
		now.back++
		c.returns = append(c.returns, at)
		c.attempts = append(c.attempts, b.attempts)
	case b.came < wave:
		c.caught = append(c.caught, at-b.came)
	default:
		c.waits = append(c.waits, at-b.came)
	}
}

// rush returns the most attempts in a second when the wave is over, at one node, as a
// multiple of what it lets in.
func (c *chronicle) rush() (most float64) {
	for _, s := range c.seconds[min(len(c.seconds), int(wave/time.Second)):] {
		most = max(most, float64(slices.Max(s.attempts))/c.storm.perSecond)
	}
	return most
}

// above returns the most that a node let in beyond its rate.
func (c *chronicle) above() (most float64) {
	for _, l := range c.ledgers {
		most = max(most, l.most)
	}
	return most
}

func (c *chronicle) String() string {
	return fmt.Sprintf("%d came back: half within %v, 99 %% %v, all %v, by %d attempts p50, %d p99, %d at most. "+
		"A node let in %.0f above its rate; after the wave up to %.2f times its rate knocked in a second. "+
		"%d newcomers waited %v p50, %v p99, %v at most; %d that came with the wave %v, %v, %v.",
		len(c.returns), quantile(c.returns, 0.5), quantile(c.returns, 0.99), quantile(c.returns, 1),
		quantile(c.attempts, 0.5), quantile(c.attempts, 0.99), quantile(c.attempts, 1), c.above(), c.rush(),
		len(c.waits), quantile(c.waits, 0.5), quantile(c.waits, 0.99), quantile(c.waits, 1),
		len(c.caught), quantile(c.caught, 0.5), quantile(c.caught, 0.99), quantile(c.caught, 1))
}

// quantile returns what that part of the values does not exceed; zero of none.
func quantile[T cmp.Ordered](values []T, part float64) (v T) {
	if len(values) == 0 {
		return v
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(math.Ceil(part*float64(len(sorted))))-1]
}
