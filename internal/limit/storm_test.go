package limit_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shortCrowd is how many come at once in the short form.
const shortCrowd = 100_000

// TestStorm: after a million streams have broken at once, no node lets in more than it
// may, all are back soon after that allows, nobody tries often, nodes are left in peace
// when the first wave is over, and newcomers do not wait. Were all told the same, it would
// show. In the short form a tenth comes, to nodes that let in a tenth, which takes as long.
// The full one, by "make storm-simulation", has as many as STORM says, and draws a picture
// in the file STORM_PLOT.
func TestStorm(t *testing.T) {
	t.Parallel()
	crowd, some, few := crowds(t)
	rows := []struct {
		name   string
		storm  storm
		bounds bounds
		faults []fault
	}{
		{"all", stormOf(crowd, 10), usual(), nil},
		{"all told alike", stormOf(few, 10).alike(), usual(), []fault{often, rush, starved}},
		{"all, by fewest streams", stormOf(some, 10).byFewest(), usual(), nil},
		{"of one node, to nine", stormOf(crowd, 9).part(0.1), usual().within(20 * time.Second), nil},
		{"of one node, to nine, by fewest streams", stormOf(crowd, 9).part(0.1).byFewest(), usual().within(20 * time.Second), nil},
		// These are more than a node has places for within the longest advice. Those who
		// are left over come in the way of all, and it is chance who is let in.
		{"all, to five nodes", stormOf(few, 5), bounds{300 * time.Second, 5, 3, 240 * time.Second}, nil},
		{"all, to one node", stormOf(few, 1), bounds{1250 * time.Second, 15, 18, 1200 * time.Second}, nil},
	}
	chronicles := make([]*chronicle, len(rows))
	t.Run("storms", func(t *testing.T) {
		for i, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := row.storm.blow()
					t.Log(c)
					if got := c.faults(row.bounds); !slices.Equal(got, row.faults) {
						t.Errorf("what is wrong: %q, and not %q", got, row.faults)
					}
					chronicles[i] = c
				})
			})
		}
	})
	if name := os.Getenv("STORM_PLOT"); name != "" && !t.Failed() {
		if err := os.WriteFile(name, picture(chronicles[0], chronicles[1]).SVG(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// crowds returns how many come, in the short form fewer where a rough picture will do:
// some, or few where each of them comes often.
func crowds(t *testing.T) (crowd, some, few int) {
	t.Helper()
	text := os.Getenv("STORM")
	if text == "" {
		return shortCrowd, shortCrowd / 4, shortCrowd / 20
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < shortCrowd {
		t.Fatalf("STORM is %q; use a number from %d on", text, shortCrowd)
	}
	return n, n, n
}

// TestStormOfGoroutines: with a goroutine for each browser, that sleeps for itself, the
// same comes of it as with an agenda.
func TestStormOfGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, begin := newChronicle(storm{crowd: 5000, nodes: 10, perSecond: 5}), time.Now()
		var mu sync.Mutex
		var all sync.WaitGroup
		knock := func(b *browser) (wait time.Duration, in bool) {
			mu.Lock()
			defer mu.Unlock()
			return c.knock(b, time.Since(begin))
		}
		for range c.storm.crowd {
			all.Go(func() {
				b := &browser{}
				for wait, in := told(), false; !in; wait, in = knock(b) {
					time.Sleep(wait)
				}
			})
		}
		all.Wait()
		t.Log(c)
		if got := c.faults(usual()); len(got) > 0 {
			t.Errorf("what is wrong: %q", got)
		}
	})
}

// told is the retry that a stream begins with: stream's jittered.
func told() time.Duration { return 1500*time.Millisecond + rand.N(3*time.Second) }
