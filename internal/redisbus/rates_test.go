package redisbus_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
)

var news = event.Allowance{Name: "key news-job", PerSecond: 100}

// spend takes tokens, one after the other, as many as there are up to n, and returns
// how many that were.
func spend(t *testing.T, bus *redisbus.Bus, a event.Allowance, n int) (taken int) {
	t.Helper()
	for ; taken < n; taken++ {
		if err := bus.Spend(t.Context(), a, 1); err != nil {
			if _, ok := errors.AsType[*event.RateError](err); !ok {
				t.Fatal(err)
			}
			break
		}
	}
	return taken
}

// TestTokensAhead: a node asks Redis for tokens ten times a second at most, and who is
// refused costs it nothing. What a node has not used within a second is lost.
func TestTokensAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := newFake()
		a, b := redis.open(t), redis.open(t)
		if n := spend(t, a, news, 45); n != 45 || redis.drawn() != 5 {
			t.Errorf("%d tokens, in %d steps", n, redis.drawn())
		}
		if n := spend(t, b, news, 2000); n != 945 || redis.drawn() != 5+86 {
			t.Errorf("the other node got %d, in all in %d steps", n, redis.drawn())
		}
		if n := spend(t, a, news, 2000); n != 10 || redis.drawn() != 91 {
			t.Errorf("%d more, in all in %d steps", n, redis.drawn())
		}
		time.Sleep(500 * time.Millisecond)
		if n := spend(t, b, news, 25); n != 25 {
			t.Errorf("%d in half a second", n)
		}
		time.Sleep(999 * time.Millisecond)
		if n := spend(t, b, news, 1000); n != 124 {
			t.Errorf("%d a moment before those lapse that were taken ahead", n)
		}
		redis.goAway() // a node that was refused knows for how long, for any number
		e, ok := errors.AsType[*event.RateError](b.Spend(t.Context(), news, 3))
		if ok = ok && e.Wait > 20*time.Millisecond && e.Wait <= 30*time.Millisecond; !ok || spend(t, b, news, 1) != 0 {
			t.Errorf("refused, and away: %+v", e)
		}
	})
}

// TestTokensLapse: what a node took ahead is not to be kept for later.
func TestTokensLapse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := newFake()
		a, b := redis.open(t), redis.open(t)
		spend(t, a, news, 1) // and has 10 ahead
		time.Sleep(time.Second)
		if n := spend(t, b, news, 2000); n != 1000 {
			t.Errorf("the other node got %d", n)
		}
		if n := spend(t, a, news, 100); n != 0 {
			t.Errorf("%d were kept for a second", n)
		}
	})
}

// TestSpendWhileAway: while Redis is away nobody spends who has nothing ahead, and
// the publish is not stored.
func TestSpendWhileAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := newFake()
		bus := redis.open(t)
		spend(t, bus, news, 1)
		redis.goAway()
		if n := spend(t, bus, news, 10); n != 10 {
			t.Errorf("%d of 10 that were taken ahead", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		failed := make(chan error, 3)
		for range 3 {
			go func() { failed <- bus.Spend(ctx, news, 1) }()
		}
		for range 3 {
			if u, ok := errors.AsType[*event.UnavailableError](<-failed); !ok || u.MaybeStored || time.Since(begin) > 5*time.Second {
				t.Errorf("got %+v after %v", u, time.Since(begin))
			}
		}
	})
}

// TestAnySpending has any number of nodes spend anything at any time, and counts.
func TestAnySpending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(*testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			a := event.Allowance{Name: "x", PerSecond: rapid.SampledFrom([]float64{0.3, 1, 7.5, 100, 5000}).Draw(r, "rate")}
			redis, begin, given, steps := newFake(), time.Now(), 0.0, 40
			buses := make([]*redisbus.Bus, rapid.IntRange(1, 3).Draw(r, "nodes"))
			for i := range buses {
				buses[i] = redis.bus(r)
				defer buses[i].Close()
			}
			for range steps {
				time.Sleep(time.Duration(rapid.IntRange(0, 3000).Draw(r, "ms")) * time.Millisecond)
				n := rapid.IntRange(1, int(min(event.MaxBatch, a.Burst()))).Draw(r, "tokens")
				err := buses[rapid.IntRange(0, len(buses)-1).Draw(r, "node")].Spend(context.Background(), a, n)
				e, refused := errors.AsType[*event.RateError](err)
				if given += float64(n); refused {
					given -= float64(n)
				}
				lost := float64(steps) * a.PerSecond / 10 // at most, by those who took them ahead
				switch come := a.Burst() + a.PerSecond*time.Since(begin).Seconds(); {
				case err != nil && !refused, refused && e.Wait <= 0:
					r.Fatalf("%+v", err)
				case refused && given+float64(n)+lost <= a.Burst():
					r.Fatalf("%d more than %v were refused: %v", n, given, err)
				case given > come+0.001:
					r.Fatalf("%v were given out, and there were %v", given, come)
				}
			}
		})
	})
}

// TestSpendInAnotherEpoch: a node that does not know yet that the store has begun
// another epoch takes tokens once. A bucket that nobody used is full, not more.
func TestSpendInAnotherEpoch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis, a := newFake(), event.Allowance{Name: "x", PerSecond: 0.5}
		bus := redis.open(t)
		spend(t, bus, a, 1)
		redis.do("HSET", redisbus.DefaultPrefix+"clock", "epoch", "7.7")
		if n := spend(t, bus, a, 9); n != 4 {
			t.Errorf("%d of 4", n)
		}
		time.Sleep(time.Hour)
		if n := spend(t, bus, a, 9); n != 5 {
			t.Errorf("%d of 5", n)
		}
	})
}
