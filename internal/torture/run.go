package torture

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// Run is one run of a Case. Its methods are for the goroutine of Case.Do.
type Run struct {
	*Cluster
	T         testing.TB // a failure of this T ends up in the Row
	Rand      *rand.Rand // for what the fault draws
	Ledger    *referee.Ledger
	Listeners []*referee.Listener
	Topics    []event.Topic
	Reader    *client.Client // what the listeners come by

	// Moments are how many messages are acknowledged before the first fault,
	// between each and the next one, and after the last.
	Moments []int

	scale    Scale
	patience time.Duration // how long something may take that must come
	end      time.Time     // of the time that the run has
	start    string        // a cursor behind which everything is
	press    *press
	notes    []string
	owned    []event.Topic // topics of the case's own
	found    *found        // what readers of the case's own had
	spared   *Hub          // never ended
	late     int           // by how many hours the clock of the present Redis is behind
	paired   bool          // the case's fault is two
}

// Try runs a case, with a hub program as Build returns it, and returns what
// became of it: whatever goes wrong is in the Row. The same seed draws the
// same topics, faults and moments, for each case others.
func Try(t testing.TB, c Case, program string, s Scale, seed uint64) Row {
	t.Helper()
	return attempt(t, c, program, s, seed, func(r *Run) { r.run(c.Do) })
}

// attempt runs a case's traffic.
func attempt(t testing.TB, c Case, program string, s Scale, seed uint64, traffic func(*Run)) Row {
	t.Helper()
	row := Row{Name: c.Name, Fault: c.Fault, Seed: seed}
	began := time.Now()
	row.Stuck, row.Log = try(t, func(t testing.TB) {
		r := newRun(t, c, program, s, seed)
		t.Cleanup(func() { r.report(&row) })
		traffic(r)
		r.finish()
		r.leave()
		row.Verdict = r.judge(c)
	})
	row.Took = time.Since(began)
	return row
}

// Streams of random numbers, each for one purpose, so that what one draws does
// not change what the others draw.
const (
	forClients = iota
	forFaults
	forMoments
	forPairs
	forPublishers // the first one; each has one of his own
)

func drawn(seed, purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, purpose)) }

// of returns a case's own seed: two cases draw differently.
func (c *Case) of(seed uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.Name)) // which never fails
	return seed ^ h.Sum64()
}

func newRun(t testing.TB, c Case, program string, s Scale, seed uint64) *Run {
	t.Helper()
	seed = c.of(seed)
	r := &Run{T: t, Rand: drawn(seed, forFaults), Ledger: referee.NewLedger(cmp.Or(s.Size, 50)), Topics: topics(s.Topics),
		Moments: moments(drawn(seed, forMoments), s.Events, s.Faults), scale: s, found: &found{}, patience: patience, end: time.Now().Add(c.limit())}
	env := c.Hub
	if c.Unaware {
		r.Ledger.Unaware()
	}
	if c.Age > 0 {
		r.Ledger.KeepFor(c.Age)
		env = append(slices.Clone(env), "HUB_RETAIN_AGE="+c.Age.String())
	}
	if c.Config != "" {
		env = append(slices.Clone(env), "HUB_CONFIG="+written(t, c.Config))
	}
	r.Cluster = Start(t, Options{Program: program, Store: c.Store, Redis: c.Redis, Env: env})
	r.Reader = r.Client(client.Options{})
	r.press = newPress(r, seed)
	r.start = r.here()
	draw := drawn(seed, forClients)
	for i := range s.Clients {
		// Most follow a few topics, each topic has many clients.
		names := make([]event.Topic, 0, 6)
		for _, k := range draw.Perm(s.Topics)[:1+draw.IntN(min(cmp.Or(s.Follow, 6), s.Topics))] {
			names = append(names, r.Topics[k])
		}
		r.Listen(fmt.Sprint("client ", i), names...)
	}
	r.Await("all clients have a stream", func() bool {
		for _, x := range r.Listeners {
			if x.Opens() == 0 {
				return false
			}
		}
		return true
	})
	return r
}

// written returns a file with the text, which is gone after the test.
func written(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tickertape.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// moments draws how a number of messages is parted by faults.
func moments(draw *rand.Rand, messages, faults int) []int {
	parts, sum := make([]float64, faults+1), 0.0
	for i := range parts {
		parts[i] = 0.2 + draw.Float64()
		sum += parts[i]
	}
	counts := make([]int, len(parts))
	for i, part := range parts {
		counts[i] = int(float64(messages) * part / sum)
	}
	return counts
}

func topics(n int) []event.Topic {
	kinds := [...]string{"news.%d", "quotes.%d", "chat.%d", "jobs.%d"}
	names := make([]event.Topic, n)
	for i := range names {
		names[i] = event.Topic(fmt.Sprintf(kinds[i%len(kinds)], i))
	}
	return names
}

// Listen adds a client of the topics, from the beginning of the run on.
func (r *Run) Listen(name string, topics ...event.Topic) *referee.Listener {
	r.T.Helper()
	return r.listen(r.Reader, name, topics)
}

func (r *Run) listen(c *client.Client, name string, topics []event.Topic) *referee.Listener {
	r.T.Helper()
	x, err := referee.Listen(c, r.Ledger, name, r.start, topics...)
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(x.Stop)
	r.Listeners = append(r.Listeners, x)
	return x
}

// patience is how long something may take that must come.
const patience = 60 * time.Second

// Await waits until the condition holds. It fails after a minute (in a soak
// five, for there is more of everything), or when the run's time is up.
func (r *Run) Await(what string, condition func() bool) {
	r.T.Helper()
	if !r.comes(condition) {
		r.T.Fatalf("it never came to this: %s", what)
	}
}

// comes waits as Await does, and reports whether the condition holds.
func (r *Run) comes(condition func() bool) bool {
	return comes(min(r.patience, time.Until(r.end)), condition)
}

// Flow waits until so many more messages have been acknowledged.
func (r *Run) Flow(messages int) {
	r.T.Helper()
	upto := r.Published() + messages
	r.Await(fmt.Sprintf("%d more messages are acknowledged", messages), func() bool { return r.Published() >= upto })
}

// Published returns how many messages have been acknowledged.
func (r *Run) Published() int { return r.Ledger.Tally().Acknowledged }

// Ready waits until all hubs are ready.
func (r *Run) Ready() {
	r.T.Helper()
	r.Await("all hubs are ready", r.Cluster.Ready)
}

// Note adds what was drawn to the words of the row.
func (r *Run) Note(words string) { r.notes = append(r.notes, words) }

// AnyHub draws a hub.
func (r *Run) AnyHub() *Hub { return r.Hubs[r.Rand.IntN(len(r.Hubs))] }

// mortal returns the hubs that may be ended.
func (r *Run) mortal() []*Hub {
	return slices.DeleteFunc(slices.Clone(r.Hubs), func(h *Hub) bool { return h == r.spared })
}

// anyMortal draws one of them.
func (r *Run) anyMortal() *Hub { return r.mortal()[r.Rand.IntN(len(r.mortal()))] }

// Last lets a fault last for a time, during which nothing is awaited.
func (r *Run) Last(d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.T.Context().Done():
	}
}

// run publishes, and lets the fault happen at drawn moments of that.
func (r *Run) run(fault func(*Run)) {
	r.T.Helper()
	end := r.traffic()
	for _, messages := range r.Moments[:r.scale.Faults] {
		r.Flow(messages)
		fault(r)
		r.Ready()
	}
	r.Flow(r.Moments[r.scale.Faults])
	r.Await("all is published", func() bool { return r.Published() >= r.scale.Events })
	end()
}

// traffic begins to publish, until the function that it returns is called.
func (r *Run) traffic() (end func()) {
	r.watch(true)
	r.press.begin()
	return func() {
		r.watch(false)
		r.press.finish()
	}
}

func (r *Run) watch(watch bool) {
	for _, x := range r.Listeners {
		x.Watch(watch)
	}
}
