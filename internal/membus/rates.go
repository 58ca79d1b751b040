package membus

import (
	"context"
	"sync"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/recent"
)

// rememberedRates is of how many it is known how much they have published. Who is
// forgotten begins with a full bucket.
const rememberedRates = 50_000

// rates are buckets of tokens: when each of them will be full.
type rates struct {
	mu   sync.Mutex
	full *recent.Map[string, time.Time]
}

func newRates() *rates { return &rates{full: recent.NewMap[string, time.Time](rememberedRates)} }

// Spend takes tokens.
func (b *Bus) Spend(ctx context.Context, a event.Allowance, n int) error {
	if err := ctx.Err(); err != nil {
		return &event.UnavailableError{RetryAfter: time.Second, Err: err}
	}
	if wait := b.rates.take(a, float64(n), time.Now()); wait > 0 {
		return &event.RateError{Allowance: a, Wait: wait}
	}
	return nil
}

// take takes tokens, or says when there will be enough.
func (r *rates) take(a event.Allowance, n float64, now time.Time) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	full, known := r.full.Get(a.Name)
	if !known || full.Before(now) {
		full = now
	}
	have := a.Burst() - a.PerSecond*full.Sub(now).Seconds()
	if missing := min(n, a.Burst()) - have; missing > 0 {
		return timeOf(a, missing) + 1
	}
	r.full.Put(a.Name, full.Add(timeOf(a, n)))
	return 0
}

// timeOf is how long so many tokens take to come.
func timeOf(a event.Allowance, tokens float64) time.Duration {
	return time.Duration(tokens / a.PerSecond * float64(time.Second))
}
