package torture

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tickertape/internal/referee"
)

// SoakOptions say how long a Soak is and how much it does.
type SoakOptions struct {
	Span    time.Duration // of the traffic; what the last fault takes beyond that comes on top
	Every   time.Duration // from fault to fault; one that takes longer is followed by the next at once
	Look    time.Duration // from sample to sample
	Rate    int           // messages a second
	Size    int           // bytes of each, about
	Clients int
	Topics  int
	Follow  int // topics that a client follows, at most
}

// Soak lets a cluster work for long, with a fault again and again, drawn from
// those cases that need no settings of their own. One hub, the first, is never
// ended, so that it shows what gathers in the course of time. What became of
// the promises is in the Row, as with Try, and how the hubs were in the Samples.
func Soak(t testing.TB, program string, o SoakOptions, seed uint64) (Row, *Samples) {
	t.Helper()
	c := Case{Name: "soak", Fault: fmt.Sprintf("a random fault every %v, for %v", o.Every, o.Span), Loss: referee.MayLose,
		Redis: slices.Concat(durable, soon), Hub: hasty, Limit: 2*o.Span + 10*time.Minute}
	s := Scale{Events: 1 << 40, // never enough
		Rate: o.Rate, Size: o.Size, Clients: o.Clients, Topics: o.Topics, Follow: o.Follow}
	samples := &Samples{}
	row := attempt(t, c, program, s, seed, func(r *Run) { r.soak(c, o, samples) })
	row.Again = fmt.Sprintf("make soak SOAK=%v SEED=%d", o.Span, seed)
	return row, samples
}

// soak publishes, and harms the cluster again and again.
func (r *Run) soak(all Case, o SoakOptions, samples *Samples) {
	r.T.Helper()
	r.patience, r.spared = 5*time.Minute, r.Hubs[0]
	r.paired = true // clients have been without events before, for other reasons
	began, stop := time.Now(), watchHubs(r.T, r.Hubs, o.Look)
	r.T.Cleanup(func() { samples.List = stop() })
	end := r.traffic()
	draw, cases := drawn(r.press.seed, forMoments), within(Cases(), all)
	for due := o.Every; due < o.Span; due = max(due+o.Every, time.Since(began)) {
		r.Last(time.Until(began.Add(due)))
		c := cases[draw.IntN(len(cases))]
		samples.Faults = append(samples.Faults, Moment{time.Since(began), c.Fault})
		r.T.Logf("%v: %s", time.Since(began).Round(time.Second), c.Name)
		c.Do(r)
		r.Ready()
	}
	r.Last(time.Until(began.Add(o.Span)))
	samples.List = stop()
	end()
}

// within returns the cases that ask for no other settings than those of a case.
func within(cases []Case, c Case) (some []Case) {
	strange := func(of, all []string) bool {
		return slices.ContainsFunc(of, func(v string) bool { return !slices.Contains(all, v) })
	}
	for _, x := range cases {
		if x.Store == c.Store && x.Age == c.Age && x.Unaware == c.Unaware && x.Dense == c.Dense && x.Config == c.Config && x.Reasons == nil && !strange(x.Redis, c.Redis) && !strange(x.Hub, c.Hub) {
			some = append(some, x)
		}
	}
	return some
}
