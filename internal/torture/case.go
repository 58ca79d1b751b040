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
	"cmp"
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

	// Config is what the hubs' configuration file says.
	Config string

	// Age is how long events are kept. A day.
	Age time.Duration

	// Loss says of all topics what may be missing. Without it nobody may be
	// told of any gap.
	Loss referee.Loss
	// Reasons are those that a gap may give. None: store_lost.
	Reasons []event.Reason

	// On is what Do harms, or has to itself: faults on different parts can
	// happen at once. 0: the case meets no other.
	On part
	// Moves says that another server has the data in the end.
	Moves bool

	// Unaware says that who writes first to a store that lost something may
	// know nothing of what was there.
	Unaware bool

	// Dense says that it needs the table's few topics: with more of them, what
	// a hub remembers of each reaches back for too long.
	Dense bool

	// Do makes the fault happen once, and returns when what it harmed is on
	// its way to be whole again: what is not within the Run's limit fails. It
	// draws what it draws from the Run, and may fail its T.
	Do func(*Run)

	// Limit bounds the whole run. 3 minutes.
	Limit time.Duration
}

// limit returns how long the whole run may take.
func (c *Case) limit() time.Duration { return cmp.Or(c.Limit, 3*time.Minute) }

// reasons returns those that a gap may give.
func (c *Case) reasons() []event.Reason {
	if c.Reasons == nil {
		return []event.Reason{event.StoreLost}
	}
	return c.Reasons
}

// Cases returns those of one fault each, in the order of the table.
func Cases() []Case {
	return slices.Concat(on(onRedis, redisCases()), on(onRedis|onWays, wayCases()), on(onRedis|onWays, failoverCases()), on(onRedis, haCases()),
		on(onHubs, hubCases()), on(onClients|onHubs, clientCases()), on(onAll, readerCases()), seamCases(), witnessCases(), endCases())
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
