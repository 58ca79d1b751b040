package torture

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// part is a part of a cluster, or several of them.
type part uint8

const (
	onRedis    part = 1 << iota // and its answers to what a case itself asks
	onWays                      // those between hubs and Redis
	onHubs                      // whether they run, and what they know
	onBalancer                  //
	onEdge                      // the ways that clients and publishers come by
	onClients                   // which of them are there
	onAll      = onRedis | onWays | onHubs | onBalancer | onEdge | onClients
)

// on gives cases the part that they harm, where they say nothing else.
func on(p part, cases []Case) []Case {
	for i := range cases {
		if cases[i].On == 0 {
			cases[i].On = p
		}
	}
	return cases
}

// pairName is what the name of a pair of cases begins with: pair:<a>+<b>.
const pairName = "pair:"

// Pairs draws so many pairs of cases whose faults can meet in one run. Most of
// them harm different parts of the cluster, so that the second fault can begin
// while the first one lasts.
func Pairs(seed uint64, count int) (pairs []Case) {
	draw := drawn(seed, forPairs)
	all := Cases()
	for len(pairs) < count {
		a, b := all[draw.IntN(len(all))], all[draw.IntN(len(all))]
		c, ok := pair(a, b)
		known := slices.ContainsFunc(pairs, func(x Case) bool { return x.Name == c.Name })
		if ok && !known && (a.On&b.On == 0 || draw.IntN(5) == 0) {
			pairs = append(pairs, c)
		}
	}
	return pairs
}

// Named returns the case of that name, which may be that of any pair.
func Named(name string) (c Case, ok bool) {
	names, isPair := strings.CutPrefix(name, pairName)
	if !isPair {
		i := slices.IndexFunc(Cases(), func(c Case) bool { return c.Name == name })
		if i < 0 {
			return Case{}, false
		}
		return Cases()[i], true
	}
	first, second, _ := strings.Cut(names, "+")
	a, knowsA := Named(first)
	b, knowsB := Named(second)
	if !knowsA || !knowsB {
		return Case{}, false
	}
	return pair(a, b)
}

// pair returns the case in which the faults of two others meet, if they can:
// what clients may be told is what they may be told in one of them.
func pair(a, b Case) (c Case, ok bool) {
	if !a.combines(b) {
		return Case{}, false
	}
	c = Case{Name: pairName + a.Name + "+" + b.Name, Fault: "two at once, or one right after the other", Store: max(a.Store, b.Store),
		Redis: union(a.Redis, b.Redis), Hub: union(a.Hub, b.Hub), Age: max(a.Age, b.Age), Unaware: a.Unaware || b.Unaware,
		Limit: a.limit() + b.limit(), Do: func(r *Run) { meet(r, a, b) }}
	for _, one := range [...]Case{a, b} {
		if one.Loss == referee.NoLoss {
			continue
		}
		c.Loss = referee.MayLose
		c.Reasons = union(c.Reasons, one.reasons())
	}
	if slices.Contains(c.Reasons, event.Trimmed) || slices.Contains(c.Reasons, event.Expired) {
		// A client whose hub was away for long has been too slow for both.
		c.Reasons = append(c.Reasons, event.Overrun)
	}
	return c, true
}

// union returns all of the values, each list whole if it has anything new.
func union[T comparable](a, b []T) []T {
	if !slices.ContainsFunc(b, func(v T) bool { return !slices.Contains(a, v) }) {
		return a
	}
	return slices.Concat(a, b)
}

// combines reports whether the faults of two cases can meet in one run.
func (c *Case) combines(b Case) bool {
	part := func(x Case, p part) bool { return x.On&p != 0 }
	a := *c
	switch {
	case a.On == 0 || b.On == 0 || a.Name == b.Name:
		return false
	case part(a, onRedis) && part(b, onRedis) && (a.Moves || b.Moves):
		return false // the next server is not like the first one
	case a.Store != Alone && (part(b, onRedis|onWays) || b.Redis != nil), b.Store != Alone && (part(a, onRedis|onWays) || a.Redis != nil):
		return false
	case a.Age != b.Age && a.Age != 0 && b.Age != 0:
		return false
	}
	for _, x := range a.Hub {
		for _, y := range b.Hub {
			name, _, _ := strings.Cut(x, "=")
			if x != y && strings.HasPrefix(y, name+"=") {
				return false
			}
		}
	}
	return true
}

// meet lets the faults of two cases happen, in the order that it draws: the
// second one while the first one lasts, if they harm different parts, or right
// after it.
func meet(r *Run, a, b Case) {
	r.T.Helper()
	r.paired = true
	if r.Rand.IntN(2) == 0 {
		a, b = b, a
	}
	if a.On&b.On != 0 || r.Rand.IntN(3) == 0 {
		r.Note(a.Name + " before " + b.Name)
		a.Do(r)
		if a.Loss != referee.NoLoss {
			r.Ready() // whoever knows what is lost has said so
		}
		b.Do(r)
		return
	}
	r.Note(a.Name + " and meanwhile " + b.Name)
	later := r.upTo(2 * time.Second)
	if b.On&onRedis == 0 {
		r.beside(func(r *Run) { r.Last(later); b.Do(r) }, a.Do)
	} else {
		r.beside(a.Do, func(r *Run) { r.Last(later); b.Do(r) })
	}
}

// beside does two things at once, of which only the second one may touch Redis
// or change the Run.
func (r *Run) beside(one, other func(*Run)) {
	r.T.Helper()
	before := len(r.Listeners)
	second := *r
	second.Rand = rand.New(rand.NewPCG(r.Rand.Uint64(), 0))
	second.Listeners = slices.Clone(r.Listeners)
	var running sync.WaitGroup
	defer running.Wait() // also if the other one fails
	running.Go(func() { one(&second) })
	other(r)
	running.Wait()
	r.Listeners = append(r.Listeners, second.Listeners[before:]...)
	if r.T.Failed() {
		r.T.FailNow()
	}
}
