package torture

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/referee"
)

// SoakOptions say how long a Soak is and how much it does.
type SoakOptions struct {
	Span    time.Duration // of the traffic; what a fault takes beyond its end comes on top
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
		Redis: slices.Concat(durable, soon), Limit: 2*o.Span + 10*time.Minute}
	s := Scale{Events: math.MaxInt, Rate: o.Rate, Size: o.Size, Clients: o.Clients, Topics: o.Topics, Follow: o.Follow}
	samples := &Samples{}
	row := attempt(t, c, program, s, seed, func(r *Run) { r.soak(c, o, samples) })
	row.Again = fmt.Sprintf("make soak SOAK=%v SEED=%d", o.Span, seed)
	return row, samples
}

// soak publishes, and harms the cluster again and again.
func (r *Run) soak(all Case, o SoakOptions, samples *Samples) {
	r.T.Helper()
	r.patience = 5 * time.Minute
	began, stop := time.Now(), watchHubs(r.T, r.Hubs, o.Look)
	r.T.Cleanup(func() { samples.List = stop() })
	end := r.traffic()
	draw, cases := drawn(r.press.seed, forMoments), within(Cases(), all)
	for due := o.Every; due < o.Span; due += o.Every {
		r.Last(time.Until(began.Add(due)))
		c := cases[draw.IntN(len(cases))]
		samples.Faults = append(samples.Faults, Moment{time.Since(began), c.Fault})
		r.T.Logf("%v: %s", time.Since(began).Round(time.Second), c.Name)
		r.harm(c)
		r.Ready()
	}
	r.Last(time.Until(began.Add(o.Span)))
	samples.List = stop()
	end()
}

// harm makes a fault happen once. Those that end hubs do not have the first.
func (r *Run) harm(c Case) {
	r.T.Helper()
	all := r.Hubs
	if strings.HasPrefix(c.Name, "hub") {
		r.Hubs = all[1:]
	}
	c.Do(r)
	r.Hubs = all
}

// within returns the cases that ask for no other settings than those of a
// case, nor for a loss that it does not bear.
func within(cases []Case, c Case) (some []Case) {
	for _, x := range cases {
		strange := func(of, all []string) bool {
			return slices.ContainsFunc(of, func(v string) bool { return !slices.Contains(all, v) })
		}
		if !strange(x.Redis, c.Redis) && !strange(x.Hub, c.Hub) && x.Reasons == nil {
			some = append(some, x)
		}
	}
	return some
}
