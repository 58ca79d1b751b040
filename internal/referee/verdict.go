package referee

import "fmt"

// Verdict counts what went wrong. Events and gaps count once for each listener
// that they are wrong for.
type Verdict struct {
	Lost       int // did not come to a listener that was told of no gap there, or that the store still has
	Doubled    int // came to a listener twice, or stand at two places
	Disordered int // came, or were acknowledged, in a wrong order
	FalseGaps  int // gaps where nothing is missing
	Other      int // whatever else must not be

	Faults []string // the first of them in words, one a line
}

// maxFaults is how many faults a Verdict words.
const maxFaults = 100

// Clean reports whether nothing went wrong.
func (v *Verdict) Clean() bool {
	return v.Lost+v.Doubled+v.Disordered+v.FalseGaps+v.Other == 0
}

// Fault counts one more in one of the verdict's own counters.
func (v *Verdict) Fault(counter *int, format string, args ...any) {
	*counter++
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

// Join adds what went wrong elsewhere.
func (v *Verdict) Join(w Verdict) {
	v.Lost += w.Lost
	v.Doubled += w.Doubled
	v.Disordered += w.Disordered
	v.FalseGaps += w.FalseGaps
	v.Other += w.Other
	v.Faults = append(v.Faults, w.Faults[:min(len(w.Faults), max(0, maxFaults-len(v.Faults)))]...)
}
