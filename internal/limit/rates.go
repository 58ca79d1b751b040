package limit

import (
	"math"
	"time"

	"golang.org/x/time/rate"

	"tickertape/internal/recent"
)

const (
	// remembered is of how many it is known how fast they are. Who is forgotten
	// begins anew, with a full bucket.
	remembered = 50_000
	// bucketTime is how long a bucket takes to fill.
	bucketTime = 10 * time.Second
)

// Rates bound how often each of many does something: each has a bucket of what
// comes in ten seconds. Several goroutines may use them.
type Rates[K comparable] struct {
	every   rate.Limit
	burst   int
	buckets *recent.Map[K, *rate.Limiter]
}

// NewRates returns Rates of so many a second; 0: there is no bound.
func NewRates[K comparable](perSecond float64) *Rates[K] {
	burst := max(1, int(math.Ceil(perSecond*bucketTime.Seconds())))
	return &Rates[K]{rate.Limit(perSecond), burst, recent.NewMap[K, *rate.Limiter](remembered)}
}

// Take takes one out of the bucket, or says when there will be one.
func (r *Rates[K]) Take(k K) (wait time.Duration) {
	if r.every == 0 {
		return 0
	}
	bucket := r.buckets.GetOr(k, func() *rate.Limiter { return rate.NewLimiter(r.every, r.burst) })
	now := time.Now()
	one := bucket.ReserveN(now, 1)
	if wait = one.DelayFrom(now); wait > 0 {
		one.CancelAt(now)
	}
	return wait
}

// Wait says when there will be one in the bucket; 0: there is. It takes none.
func (r *Rates[K]) Wait(k K) time.Duration {
	if r.every == 0 {
		return 0
	}
	bucket, ok := r.buckets.Get(k)
	if !ok {
		return 0
	}
	missing := 1 - bucket.Tokens()
	return max(0, time.Duration(missing/float64(r.every)*float64(time.Second)))
}
