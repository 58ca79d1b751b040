package bustest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// slow is somebody who may publish 5 messages at once, and one more each 2 seconds: so
// slowly that no node takes anything ahead.
func slow(name string) event.Allowance { return event.Allowance{Name: name, PerSecond: 0.5} }

func spend(t *testing.T, bus hub.Bus, a event.Allowance, n int) {
	t.Helper()
	if err := bus.Spend(t.Context(), a, n); err != nil {
		t.Fatalf("%d of %.40q: %v", n, a.Name, err)
	}
}

// spent expects that there are not so many tokens, and that there will be between
// these times from now.
func spent(t *testing.T, bus hub.Bus, a event.Allowance, n int, from, upto time.Duration) {
	t.Helper()
	err := bus.Spend(t.Context(), a, n)
	e, ok := errors.AsType[*event.RateError](err)
	if !ok || e.Allowance != a || e.Wait < from || e.Wait > upto {
		t.Fatalf("%d of %.40q: got %v, %+v; want a wait of %v to %v", n, a.Name, err, e, from, upto)
	}
}

// rateIsOfAllNodes has nodes take turns.
func rateIsOfAllNodes(t *testing.T, open Open) {
	node := open(t, wide())
	nodes := []hub.Bus{node(), node()}
	for i := range 5 {
		spend(t, nodes[i%2], slow("a"), 1)
	}
	for _, bus := range nodes {
		for range 3 {
			spent(t, bus, slow("a"), 1, time.Millisecond, 2*time.Second)
		}
		spent(t, bus, slow("a"), 3, 2*time.Second, 6*time.Second) // what was refused took nothing
	}
	spend(t, nodes[1], slow("b"), 4)
	spent(t, nodes[0], slow("b"), 2, time.Millisecond, 2*time.Second)
	spend(t, nodes[0], slow("b"), 1)
}

// rateOfManyAtOnce has somebody need more than their bucket holds.
func rateOfManyAtOnce(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	spend(t, a, slow("full"), 12)
	spent(t, b, slow("full"), 1, 10*time.Second, 16*time.Second) // 7 and this one
	spend(t, a, slow("not full"), 1)
	spent(t, b, slow("not full"), 12, time.Millisecond, 2*time.Second)
	spend(t, b, slow("not full"), 4)
	spend(t, b, event.Allowance{Name: "rare", PerSecond: event.MinRate}, event.MaxBatch)
	often := event.Allowance{Name: "often", PerSecond: event.MaxRate}
	for range 20 {
		spend(t, a, often, event.MaxBatch)
	}
}

// rateOfAnyName has names that could be taken for one another, or for something else.
func rateOfAnyName(t *testing.T, open Open) {
	bus := open(t, wide())()
	publish(t, bus, message("a", "x"))
	names := []string{"", "a", "a\x00", "A", "{0}", "clock", "*", "a\r\nDEL x\r\n", "\xff\xfe", strings.Repeat("x", 10_000), strings.Repeat("x", 10_001)}
	for _, name := range names {
		spend(t, bus, slow(name), 5)
	}
	for _, name := range names {
		spent(t, bus, slow(name), 1, time.Millisecond, 2*time.Second)
	}
	equal(t, "the topic", texts(all(t, bus, "a")), []string{"x"})
}

// rateIsNeverExceeded has nodes race for tokens, and those who are refused wait as they
// are told.
func rateIsNeverExceeded(t *testing.T, open Open) {
	node := open(t, wide())
	a := event.Allowance{Name: "racer", PerSecond: 40}
	begin, most := time.Now(), make(chan int, 1)
	most <- 0
	var racers sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range 6 {
		bus := node()
		racers.Go(func() {
			for n := 1 + i; ; {
				total := <-most
				most <- total
				if total > 430 { // more than the bucket, and some seconds
					return
				}
				err := bus.Spend(ctx, a, n)
				if err == nil {
					most <- <-most + n
					continue
				}
				e, ok := errors.AsType[*event.RateError](err)
				if !ok {
					t.Errorf("got %v after %d", err, total)
					return
				}
				select {
				case <-time.After(e.Wait):
				case <-ctx.Done():
				}
			}
		})
	}
	racers.Wait()
	if total, come := <-most, a.Burst()+a.PerSecond*time.Since(begin).Seconds(); float64(total) > come {
		t.Errorf("%d tokens were given out, and there were %.1f", total, come)
	}
}

// spendingEnds with its context.
func spendingEnds(t *testing.T, open Open) {
	bus := open(t, wide())()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u, ok := errors.AsType[*event.UnavailableError](bus.Spend(ctx, slow("a"), 1))
	if !ok || u.MaybeStored {
		t.Errorf("got %+v", u)
	}
	spend(t, bus, slow("a"), 5)
}
