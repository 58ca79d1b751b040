package redisbus

import (
	"context"
	"math"
	"time"

	"github.com/redis/go-redis/v9"

	"tickertape/internal/event"
	"tickertape/internal/recent"
)

const (
	// aheadTime is how much a node takes of a bucket besides what it needs: what
	// comes in this time. So Redis is asked ten times a second by whoever publishes as
	// fast as they may.
	aheadTime = 100 * time.Millisecond
	// aheadLife is how long the node may use that.
	aheadLife = time.Second
	// aheadKnown is of how many buckets a node knows, at least, what it took ahead.
	aheadKnown = 10_000
)

// purse is what a node knows of a bucket.
type purse struct {
	turn chan struct{} // holds one while somebody looks, or asks Redis

	ahead int       // tokens that were taken and not used
	lapse time.Time // when those are void
	// At the moment next there will be need tokens in the bucket, and not before.
	next time.Time
	need float64
}

func newPurse() *purse { return &purse{turn: make(chan struct{}, 1)} }

type purses = recent.Map[string, *purse]

// Spend takes tokens: of those that the node took ahead, or else of the bucket.
func (b *Bus) Spend(ctx context.Context, a event.Allowance, n int) error {
	p := b.purses.GetOr(a.Name, newPurse)
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return unavailable(ctx.Err(), false)
	}
	now := time.Now()
	if !now.Before(p.lapse) {
		p.ahead = 0
	}
	if p.ahead >= n {
		p.ahead -= n
		return nil
	}
	need := n - p.ahead
	if wait := p.wait(a, need, now); wait > 0 {
		return &event.RateError{Allowance: a, Wait: wait}
	}
	taken, wait, err := b.draw(ctx, a, need)
	if err != nil {
		return err
	}
	now = time.Now()
	if taken == 0 {
		p.next, p.need = now.Add(wait), min(float64(need), a.Burst())
		return &event.RateError{Allowance: a, Wait: wait}
	}
	p.ahead, p.lapse = taken-need, now.Add(aheadLife)
	return nil
}

// wait says, as far as the node knows, how long the bucket has less than needed. Who
// asks again and again costs Redis nothing.
func (p *purse) wait(a event.Allowance, need int, now time.Time) time.Duration {
	less := p.need - min(float64(need), a.Burst())
	return p.next.Sub(now) - time.Duration(less/a.PerSecond*float64(time.Second))
}

// draw takes tokens out of the bucket: as many as needed, and some ahead; or none, and
// says when there will be enough.
func (b *Bus) draw(ctx context.Context, a event.Allowance, need int) (taken int, wait time.Duration, err error) {
	keys := []string{b.keys.clock(), b.keys.rate(a.Name)}
	ahead := math.Floor(a.PerSecond * aheadTime.Seconds())
	answer, err := b.onPrimary(ctx, func(client *redis.Client) ([]any, error) {
		return b.scripts.rate.Run(ctx, client, keys, a.PerSecond, a.Burst(), need, ahead, event.MaxBatch,
			formatEpoch(b.witness.now().Epoch)).Slice()
	})
	if err != nil {
		return 0, 0, unavailable(explain(err), false)
	}
	r := valueReader{values: answer}
	_, _ = r.text(), r.position() // of the store
	taken, wait = int(r.number()), time.Duration(r.number())*time.Microsecond
	if r.failed || taken != 0 && taken < need || taken == 0 && wait <= 0 {
		return 0, 0, unavailable(errAnswer, false)
	}
	return taken, wait, nil
}
