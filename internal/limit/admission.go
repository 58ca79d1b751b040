package limit

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// minAway and maxAway bound for how long one may be sent away.
	minAway = time.Second
	maxAway = 2 * time.Minute
	// newcomers is the share of an admission that is kept for those who were told
	// nothing: who was, comes when there is room besides.
	newcomers = 0.2
)

// Admission lets so many in each second, whatever storms at the door. Who is one too
// many is told when to come back: each at a moment of its own, behind those who were
// told before, so that the advice grows with the crowd. Several goroutines may use
// it.
type Admission struct {
	doors *rate.Limiter // nil: they stand open

	mu    sync.Mutex
	pace  time.Duration // between those who come back
	queue time.Time     // when the next one may
}

// NewAdmission returns an Admission of so many a second, and as many at once; 0: of
// everybody.
func NewAdmission(perSecond float64) *Admission {
	if perSecond == 0 {
		return &Admission{}
	}
	return &Admission{doors: rate.NewLimiter(rate.Limit(perSecond), max(1, int(math.Ceil(perSecond)))),
		pace: time.Duration(float64(time.Second) / perSecond / (1 - newcomers))}
}

// Enter reports whether one may come in, or else after which time to try again.
func (a *Admission) Enter() (away time.Duration, ok bool) {
	if a.doors == nil {
		return 0, true
	}
	now := time.Now()
	if a.doors.AllowN(now, 1) {
		return 0, true
	}
	return a.place(now), false
}

// place gives the next place in the queue away. It has nobody wait longer than
// maxAway: the later half of that time takes all for whom there is no place left.
func (a *Admission) place(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if soon := now.Add(minAway); a.queue.Before(soon) {
		a.queue = soon
	}
	away := a.queue.Sub(now)
	if away >= maxAway {
		return maxAway/2 + rand.N(maxAway/2)
	}
	a.queue = a.queue.Add(a.pace)
	return away
}
