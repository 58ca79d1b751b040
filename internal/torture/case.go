// Package torture harms a whole cluster (a Redis, hubs and a balancer, each a
// process of its own, with proxies on the ways between them) while independent
// publishers and clients keep a ledger, and tells in a row what became of the
// promises.
//
// A Case is one kind of fault. Try runs it: so many events to so many clients,
// the fault at a few moments that a seed draws. What it judges is said at
// referee.Judge.
package torture

import (
	"slices"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// Case is one kind of fault, and what it may cost.
type Case struct {
	Name  string // in one word: CASE=…
	Fault string // in the words of the table

	Store Store
	Redis []string // arguments of redis-server
	Hub   []string // environment of the hubs, like "HUB_RETAIN_AGE=5s"

	// Age is how long events are kept. A day.
	Age time.Duration

	// Loss says of all topics what may be missing. Without it nobody may be
	// told of any gap.
	Loss referee.Loss
	// Reasons are those that a gap may give. None: store_lost.
	Reasons []event.Reason

	// Beside says that Do neither touches Redis, nor hubs' ways to it but to make
	// them worse, and bears that Redis is away: it can happen beside a fault of
	// Redis, in a goroutine of its own.
	Beside bool

	// Unaware says that who writes first to a store that lost something may
	// know nothing of what was there.
	Unaware bool

	// Do makes the fault happen once, and returns when what it harmed is on
	// its way to be whole again: what is not within the Run's limit fails. It
	// draws what it draws from the Run, and may fail its T.
	Do func(*Run)

	// Limit bounds the whole run. 3 minutes.
	Limit time.Duration
}

// allowed reports whether clients may be told of a gap for that reason.
func (c *Case) allowed(reason event.Reason) bool {
	if c.Reasons == nil {
		return reason == event.StoreLost
	}
	return slices.Contains(c.Reasons, reason)
}

// Cases returns all of them, in the order of the table.
func Cases() []Case { return slices.Concat(single(), pairCases()) }

// single returns those of one fault each.
func single() []Case {
	return slices.Concat(redisCases(), wayCases(), failoverCases(), haCases(), hubCases(), clientCases(), seamCases(), witnessCases())
}

// Scale is how much a run does. Size and Follow have defaults.
type Scale struct {
	Events  int // acknowledged, at least
	Rate    int // events a second
	Size    int // bytes of each, about. 50
	Clients int
	Topics  int
	Follow  int // topics that a client follows, at most. 6
	Faults  int // how often the fault happens
}

// Full is what the table is made with.
func Full() Scale { return Scale{Events: 10_000, Rate: 600, Clients: 100, Topics: 20, Faults: 3} }

// Short is what there is time for in every test.
func Short() Scale { return Scale{Events: 1500, Rate: 300, Clients: 20, Topics: 8, Faults: 1} }
