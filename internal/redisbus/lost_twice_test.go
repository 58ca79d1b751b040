package redisbus_test

import (
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// A store that comes back as it was two epochs ago: what it has of the epoch
// before is less than was there, and of the one in between it has nothing. Who
// was last here before either has to be told of both.
func TestLossesOfEpochsBetween(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus, err := redisbus.Open(redisbus.Options{URL: server.URL, Beat: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	put := func(topic event.Topic) event.Cursor {
		r, err := bus.Publish(t.Context(), []event.Message{{Topic: topic, Data: event.Data{Text: "x"}}})
		if err != nil {
			t.Fatal(err)
		}
		return r[0].Cursor
	}
	kept := put("tail")
	server.Save()
	put("tail")
	server.Must("FLUSHALL")
	if between := put("between"); between.Epoch == kept.Epoch {
		t.Fatal("the epoch did not change")
	}
	server.Kill()
	server.Restart()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for _, topic := range []event.Topic{"tail", "between"} {
		for deadline := time.Now().Add(10 * time.Second); ; {
			page, err := bus.History(t.Context(), event.Range{Topic: topic, After: kept.Position, Upto: event.Position{MS: 1 << 47}})
			if err == nil && len(page.Gaps) == 1 && page.Gaps[0].Reason == event.StoreLost {
				break
			}
			if now := <-look.C; now.After(deadline) {
				t.Errorf("%s: %+v, %v", topic, page, err)
				break
			}
		}
	}
}

// TestLossBeforeAnotherEpoch has who comes back pass a loss, what followed it,
// and an epoch without a loss: the ids tell of each in which epoch it stands.
func TestLossBeforeAnotherEpoch(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := startNode(t, redisbus.Options{URL: server.URL})
	live := n.open(hub.Start{}, "a")
	kept := tell(t, n.bus, "a", "1")[0]
	server.Save()
	tell(t, n.bus, "a", "gone")
	live.expect("a 1, a gone")
	server.Kill()
	server.Restart()
	live.expect("gap a store_lost")
	tell(t, n.bus, "a", "2")
	live.expect("a 2")
	server.Save()
	server.Kill()
	server.Restart()
	tell(t, n.bus, "a", "3")
	live.expect("a 3")
	for _, n := range []*node{n, startNode(t, redisbus.Options{URL: server.URL})} {
		n.resume(kept, "a").expect("gap a store_lost, a 2, a 3")
	}
}

// TestLossBeforeTrims asks for what led up to a loss, after which there was
// another one, and what stood between the two has been trimmed: what is missing
// up to there is lost, and not trimmed.
func TestLossBeforeTrims(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := startNode(t, redisbus.Options{URL: server.URL, Retention: event.Retention{Messages: 2}})
	live := n.open(hub.Start{}, "a")
	tell(t, n.bus, "a", "1")
	live.expect("a 1")
	kept := live.last["a"].Position
	var losses []event.Position
	for _, loss := range []string{"first", "second"} {
		server.Save()
		tell(t, n.bus, "a", loss)
		live.expect("a " + loss)
		server.Kill()
		server.Restart()
		live.expect("gap a store_lost")
		losses = append(losses, live.last["a"].Position)
		tell(t, n.bus, "a", "behind the "+loss)
		live.expect("a behind the " + loss)
	}
	tell(t, n.bus, "a", "2", "3")
	live.expect("a 2, a 3")
	page, err := n.bus.History(t.Context(), event.Range{Topic: "a", After: kept, Upto: losses[0]})
	if err != nil || page.Upto != losses[0] || len(page.Gaps) != 1 || page.Gaps[0].Reason != event.StoreLost {
		t.Errorf("up to the loss at %v: %+v, %v", losses[0], page, err)
	}
}
