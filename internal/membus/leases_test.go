package membus_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/membus"
)

func leased(topic event.Topic, lease time.Duration) event.Message {
	m := text(topic, "x")
	m.Lease = lease
	return m
}

// statusAfter waits and returns how the topic ended.
func statusAfter(t *testing.T, bus *membus.Bus, topic event.Topic, wait time.Duration) event.Status {
	t.Helper()
	time.Sleep(wait)
	synctest.Wait()
	info, _, err := bus.Topic(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return info.Status
}

// A lease runs out at the first beat after its time, counted from the newest
// message.
func TestLeaseRunsOut(t *testing.T) {
	inBubble(t, membus.Options{}, func(t *testing.T, bus *membus.Bus) {
		time.Sleep(time.Second / 2)
		must(t, bus, leased("a", 30*time.Second), leased("b", 30*time.Second), leased("c", 24*time.Hour), leased("d", time.Second))
		must(t, bus, leased("c", 30*time.Second), leased("d", 24*time.Hour))
		time.Sleep(20 * time.Second)
		must(t, bus, text("b", "renews"))
		if s := statusAfter(t, bus, "a", 9900*time.Millisecond); s != "" {
			t.Errorf("before its time: %q", s)
		}
		for topic, want := range map[event.Topic]event.Status{"a": event.ProducerLost, "b": "", "c": event.ProducerLost, "d": ""} {
			if s := statusAfter(t, bus, topic, time.Second); s != want {
				t.Errorf("%s, after 31 seconds: %q, want %q", topic, s, want)
			}
		}
		if s := statusAfter(t, bus, "b", 20*time.Second); s != event.ProducerLost {
			t.Errorf("once renewed, after 55 seconds: %q", s)
		}
	})
}

// What ran out while no feed ran is given its time once more, once.
func TestLeaseOutlastsAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{})
		run := func() (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- bus.Run(ctx, nobody{}) }()
			return func() {
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("the feed ended with %v", err)
				}
			}
		}
		stop := run()
		must(t, bus, leased("a", 30*time.Second), leased("long", 2*time.Hour))
		time.Sleep(20 * time.Second)
		stop()
		time.Sleep(time.Hour)
		defer run()()
		for _, c := range []struct {
			wait time.Duration
			want event.Status
		}{{29 * time.Second, ""}, {3 * time.Second, event.ProducerLost}} {
			if s := statusAfter(t, bus, "a", c.wait); s != c.want {
				t.Errorf("after %v more: %q, want %q", c.wait, s, c.want)
			}
		}
		if s := statusAfter(t, bus, "long", 59*time.Minute); s != "" {
			t.Errorf("one that had not run out: %q", s)
		}
		if s := statusAfter(t, bus, "long", time.Minute); s != event.ProducerLost {
			t.Errorf("one that had not run out, two hours after it was given: %q", s)
		}
	})
}

// A lease that was prolonged, for nobody could see it run out, outlasts all else of
// its topic, and ends it.
func TestLeaseOutlastsItsTopic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{Retention: event.Retention{Age: 10 * time.Second}})
		must(t, bus, leased("a", 10*time.Second))
		time.Sleep(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = bus.Run(ctx, nobody{}) }() // until its context ends
		for _, c := range []struct {
			wait time.Duration
			want event.Status
		}{{9 * time.Second, ""}, {3 * time.Second, event.ProducerLost}} {
			if s := statusAfter(t, bus, "a", c.wait); s != c.want {
				t.Errorf("after %v more: %q, want %q", c.wait, s, c.want)
			}
		}
	})
}

// A topic that ended by its lease is forgotten; its next life has no lease.
func TestLeaseGoesWithTheTopic(t *testing.T) {
	inBubble(t, membus.Options{Retention: event.Retention{Age: 10 * time.Second}}, func(t *testing.T, bus *membus.Bus) {
		must(t, bus, leased("a", 10*time.Second))
		if s := statusAfter(t, bus, "a", 12*time.Second); s != event.ProducerLost {
			t.Fatalf("it ended as %q", s)
		}
		time.Sleep(11 * time.Second)
		if _, known, err := bus.Topic(t.Context(), "a"); known || err != nil {
			t.Fatalf("it is still known (%v)", err)
		}
		must(t, bus, text("a", "y"))
		for range 20 {
			time.Sleep(5 * time.Second)
			must(t, bus, text("a", "z"))
		}
	})
}
