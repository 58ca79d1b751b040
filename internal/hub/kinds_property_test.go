package hub_test

import (
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/redistest"
)

// TestPromisesOfKinds holds hub and bus against what they promise of tables,
// ephemeral topics, ends and selectors: whoever listens, drops and comes back has
// every event of a log once, in order, or a gap; the newest of each key of a
// table; no gap for an ephemeral topic; ends once, and its stream over with the
// last of them.
func TestPromisesOfKinds(t *testing.T) {
	t.Parallel()
	var first sync.Once
	rapid.Check(t, func(rt *rapid.T) {
		var failure any
		synctest.Test(t, func(*testing.T) {
			defer func() { failure = recover() }() // as in TestPromises
			w := newKinds(rt, 8*time.Second)
			m := newMemory(w.setup, 100*time.Millisecond)
			w.store = m
			defer w.end()
			actions := w.actions()
			actions["sleep"] = func(*rapid.T) { time.Sleep(17 * time.Second) }
			rt.Repeat(actions)
			w.finish(rt)
		})
		if failure != nil {
			first.Do(func() { t.Logf("%v", failure) })
			panic(failure)
		}
	})
}

// TestPromisesOfKindsOverRedis is TestPromisesOfKinds with two nodes over a real
// Redis, in real time, whose connections break and whose nodes are replaced.
func TestPromisesOfKindsOverRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	checkFor(t, enough, func(rt *rapid.T) {
		w := newKinds(rt, 200*time.Millisecond)
		w.limits.Age, w.small.Age = time.Hour, time.Hour // expiry is for the bus in memory
		c := newCluster(rt, server, w.setup)
		w.store = c
		defer w.end()
		actions := w.actions()
		maps.Copy(actions, map[string]func(*rapid.T){
			"replace": func(t *rapid.T) { c.replace(t, w.hangUp) },
			"sever":   c.sever,
			"sleep":   c.sleep,
		})
		rt.Repeat(actions)
		w.finish(rt)
	})
}
