package hub_test

import (
	"flag"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/redistest"
)

// enough is how long TestPromisesOverRedis looks for faults, unless the run
// says itself how many checks there are to be, by -rapid.checks.
const enough = 8 * time.Second

// TestPromisesOverRedis is TestPromises with two nodes over a real Redis, in
// real time. Connections break, nodes are replaced, and the store comes back
// as it was saved last, or empty: then the model knows what is lost, and who
// has to be told.
func TestPromisesOverRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	checkFor(t, enough, func(rt *rapid.T) {
		w := newWorld(rt, 200*time.Millisecond)
		w.limits.Age = time.Hour // expiry is for the bus in memory
		c := newCluster(rt, server, w.setup)
		w.store = c
		defer w.end()
		w.begin(c.clock(rt))
		actions := w.actions()
		maps.Copy(actions, (&faults{cluster: c, w: w}).actions())
		rt.Repeat(actions)
		w.finish(rt)
	})
}

// checkFor is rapid.Check for about that long, unless the run was told how many
// checks to make. It keeps what was seen first: real time does not always repeat.
func checkFor(t *testing.T, limit time.Duration, check func(*rapid.T)) {
	t.Helper()
	var first sync.Once
	begin, failed := time.Now(), false
	rapid.Check(t, func(rt *rapid.T) {
		if !failed && !checksAreCounted() && time.Since(begin) > limit {
			return
		}
		defer func() {
			if failure := recover(); failure != nil {
				failed = true
				first.Do(func() { t.Logf("%v", failure) })
				panic(failure)
			}
		}()
		check(rt)
	})
}

// checksAreCounted reports whether the run was told how many checks to make.
func checksAreCounted() (told bool) {
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "rapid.checks" })
	_, env := os.LookupEnv("RAPID_CHECKS")
	return told || env
}

// faults are what can happen to a world on Redis.
type faults struct {
	*cluster
	w     *world
	saved memento
}

func (c *faults) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"crash":   c.crash,
		"flush":   c.flush,
		"replace": func(t *rapid.T) { c.replace(t, c.hangUp) },
		"sever":   c.sever,
		"sleep":   c.sleep,
	}
}

// hangUp breaks the connections to a node.
func (c *faults) hangUp(node int) {
	for _, client := range c.w.clients {
		if client.sub != nil && client.node == node {
			client.close()
		}
	}
}

// memento is what the store wrote to its disk.
type memento struct {
	events map[event.Topic][]event.Event
	epochs map[event.Epoch]struct{}
}

func (c *faults) save(*rapid.T) {
	c.server.Save()
	c.saved = memento{events: map[event.Topic][]event.Event{}, epochs: map[event.Epoch]struct{}{c.w.epoch: {}}}
	for topic, list := range c.w.events {
		c.saved.events[topic] = list[:len(list):len(list)]
	}
	for epoch := range c.w.ended {
		c.saved.epochs[epoch] = struct{}{}
	}
}

// crash has the store end as by a power cut, and come back as it was saved
// last, which may have been long ago. Clients know nothing of it.
func (c *faults) crash(t *rapid.T) {
	if rapid.IntRange(0, 2).Draw(t, "save") > 0 {
		c.save(t)
	}
	for range rapid.IntRange(0, 2).Draw(t, "batches") {
		c.w.batch(t)
	}
	c.greet(t)
	c.server.Kill()
	c.w.down = true
	for range rapid.IntRange(0, 3).Draw(t, "meanwhile") {
		rapid.SampledFrom([]func(*rapid.T){c.w.take, c.w.drop, c.w.resume, c.w.join}).Draw(t, "do")(t)
	}
	c.server.Restart()
	c.w.down = false
	c.becomes(t, c.saved)
}

// greet waits until the clients that were refused know it: the model has no
// word for those who are told of one epoch in the next one.
func (c *faults) greet(t *rapid.T) {
	for _, client := range c.w.clients {
		if client.sub != nil {
			client.fetch(1)
			client.read(t)
			client.hear(t)
		}
	}
}

// flush empties the store.
func (c *faults) flush(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "rarely") > 0 {
		return
	}
	c.greet(t)
	c.server.Must("FLUSHALL")
	c.becomes(t, memento{})
}

// becomes takes in that the store holds what it is now, and no more, and
// checks that it knows so itself.
func (c *faults) becomes(t *rapid.T, now memento) {
	w := c.w
	before := w.epoch
	clock := c.clock(t)
	if clock.Epoch == before || len(clock.Ended) != len(now.epochs) {
		t.Fatalf("epoch %v after %v, and it knows %v of %v", clock.Epoch, before, clock.Ended, now.epochs)
	}
	kept := map[event.Position]struct{}{}
	for _, list := range now.events {
		for _, e := range list {
			kept[e.Position] = struct{}{}
			if end, ok := clock.Ended[e.Epoch]; !ok || e.Position.After(end) {
				t.Fatalf("%+v lies behind the end of its epoch: %v", e, clock.Ended)
			}
		}
	}
	w.losses = slices.DeleteFunc(w.losses, func(l lostEvent) bool {
		_, back := kept[l.Position]
		return back
	})
	for _, list := range w.events {
		for _, e := range list {
			if _, ok := kept[e.Position]; ok {
				continue
			}
			w.losses = append(w.losses, lostEvent{Event: e, began: clock.Began, life: w.lives[e.Position]})
			if end, ok := clock.Ended[e.Epoch]; ok && !e.Position.After(end) {
				t.Fatalf("%+v is lost, and its epoch ended behind it: %v", e, clock.Ended)
			}
		}
	}
	w.events = map[event.Topic][]event.Event{}
	for topic, list := range now.events {
		w.events[topic] = list
	}
	w.turn(clock)
	c.quiet(t)
}
