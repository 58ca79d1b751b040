package torture

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tickertape/internal/referee"
)

// pairCases let two faults happen at once, which they draw each time: one of
// Redis, and beside it one of those that can be there.
func pairCases() []Case {
	var cases []Case
	for i := range 3 {
		cases = append(cases, Case{Name: fmt.Sprintf("pair-%d", i+1), Fault: "two faults at once", Redis: slices.Concat(durable, soon), Hub: hasty,
			Limit: 8 * time.Minute, Do: func(r *Run) { pair(r, false) }})
	}
	for i := range 2 {
		cases = append(cases, Case{Name: fmt.Sprintf("pair-lossy-%d", i+1), Fault: "two faults at once", Redis: soon, Hub: hasty,
			Loss: referee.MayLose, Limit: 8 * time.Minute, Do: func(r *Run) { pair(r, true) }})
	}
	return cases
}

// pair draws two faults and lets them happen, the second one a moment after
// the first.
func pair(r *Run, lossy bool) {
	firsts := slices.DeleteFunc(slices.Concat(redisCases(), failoverCases()), func(c Case) bool { return (c.Loss == referee.NoLoss) == lossy })
	seconds := slices.DeleteFunc(single(), func(c Case) bool { return !c.Beside })
	first, second := firsts[r.Rand.IntN(len(firsts))], seconds[r.Rand.IntN(len(seconds))]
	r.Note(first.Name + " and " + second.Name)

	beside := *r
	beside.Rand = rand.New(rand.NewPCG(r.Rand.Uint64(), 0))
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() {
		beside.Last(time.Duration(beside.Rand.Int64N(int64(2 * time.Second))))
		second.Do(&beside)
	})
	first.Do(r)
	running.Wait()
	r.Listeners = append(r.Listeners, beside.Listeners[len(r.Listeners):]...)
	if r.T.Failed() {
		r.T.FailNow()
	}
}
