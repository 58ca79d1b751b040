package limit_test

import (
	"math/rand/v2"
	"time"
)

// storm is a crowd of browsers whose streams have all broken at once, and the doors
// that they come to.
type storm struct {
	crowd     int
	nodes     int
	perSecond float64 // that each node lets in
	newcomers float64 // who come besides, as a share of what the nodes let in
	fewest    bool    // the balancer picks the node with the fewest streams, else any
	same      bool    // who is sent away is told what who is let in is: the mistake
}

// stormOf returns that of a crowd whose thousandth is let in by each node in a second.
// As many newcomers come as half of what is kept for them.
func stormOf(crowd, nodes int) storm {
	return storm{crowd: crowd, nodes: nodes, perSecond: float64(crowd) / 1000, newcomers: 0.1}
}

// part returns the storm of a part of the crowd.
func (s storm) part(share float64) storm {
	s.crowd = int(float64(s.crowd) * share)
	return s
}

func (s storm) byFewest() storm {
	s.fewest = true
	return s
}

func (s storm) alike() storm {
	s.same = true
	return s
}

// most is how many the nodes let in together in a second.
func (s storm) most() float64 { return s.perSecond * float64(s.nodes) }

// browser wants a stream. It waits for as long as the last retry said that it was told:
// no more is known to an EventSource.
type browser struct {
	came     time.Duration // when it knocked first
	attempts int32
	newcomer bool
}

const (
	// tick is how finely moments are told apart.
	tick = time.Millisecond
	// horizon is how far off a moment may be: more than anybody is told to wait.
	horizon = 150 * time.Second
)

// agenda says who knocks when. One goroutine goes through it, and sleeps from moment to
// moment: a million that sleep each for itself would do the same, and take gigabytes.
type agenda struct {
	moments [horizon / tick][]*browser // a ring
	waiting int
	crowd   int // of those who wait, all but newcomers
}

func (a *agenda) moment(at time.Duration) *[]*browser { return &a.moments[at%horizon/tick] }

func (a *agenda) add(at time.Duration, b *browser) {
	m := a.moment(at)
	*m = append(*m, b)
	a.waiting++
	if !b.newcomer {
		a.crowd++
	}
}

// take returns who knocks at that moment, in any order. It is valid until the horizon.
func (a *agenda) take(at time.Duration) []*browser {
	m := a.moment(at)
	who := *m
	*m = who[:0]
	rand.Shuffle(len(who), func(i, j int) { who[i], who[j] = who[j], who[i] })
	a.waiting -= len(who)
	for _, b := range who {
		if !b.newcomer {
			a.crowd--
		}
	}
	return who
}

// blow has the storm blow itself out, and newcomers come until then. It is called in a
// bubble, whose time is that of the nodes.
func (s storm) blow() *chronicle {
	c, a, begin := newChronicle(s), &agenda{}, time.Now()
	for range s.crowd {
		a.add(told(), &browser{})
	}
	every := time.Duration(float64(time.Second) / s.most() / s.newcomers)
	next := rand.N(every)
	for at := time.Duration(0); a.waiting > 0; at += tick {
		for ; next < at+tick && a.crowd > 0; next += rand.N(2 * every) {
			a.add(at, &browser{newcomer: true})
		}
		who := a.take(at)
		if len(who) > 0 {
			time.Sleep(time.Until(begin.Add(at)))
		}
		for _, b := range who {
			if wait, in := c.knock(b, at); !in {
				a.add(at+wait, b)
			}
		}
	}
	return c
}
