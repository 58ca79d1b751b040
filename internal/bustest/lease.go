package bustest

import (
	"slices"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// leased returns the message with a lease.
func leased(m event.Message, lease time.Duration) event.Message {
	m.Lease = lease
	return m
}

// untilEnded waits until a topic has ended and returns its events.
func untilEnded(t *testing.T, bus hub.Bus, topic string) (events []event.Event) {
	t.Helper()
	eventually(t, topic+" has ended", func() bool {
		events = all(t, bus, topic)
		return len(events) > 0 && events[len(events)-1].End != ""
	})
	return events
}

// expectLost expects that a topic ended, once, since nobody wrote to it for as
// long as its lease says.
func expectLost(t *testing.T, events []event.Event, lease time.Duration) {
	t.Helper()
	last := events[len(events)-1]
	want := event.NewEnd(last.Topic, last.Kind, event.ProducerLost)
	want.Epoch, want.Position, want.Prev = last.Epoch, last.Position, events[len(events)-2].Position
	if last != want {
		t.Errorf("the end is %+v, want %+v", last, want)
	}
	if idle := last.Position.Time().Sub(last.Prev.Time()); idle < lease {
		t.Errorf("the end came after %v, the lease was %v", idle, lease)
	}
	if slices.ContainsFunc(events[:len(events)-1], func(e event.Event) bool { return e.End != "" }) {
		t.Errorf("there is more than one end: %+v", events)
	}
}

// leaseIsBounded by how long a topic is kept.
func leaseIsBounded(t *testing.T, open Open) {
	limits := wide()
	bus := open(t, limits)()
	why := refused[*event.InvalidError](t, bus, 1, message("log", "x"), leased(message("log", "y"), limits.Age+time.Millisecond))
	if why.Field != "lease" {
		t.Errorf("blamed: %s", why.Field)
	}
	publish(t, bus, leased(message("log", "y"), limits.Age))
}

// leaseRunsOutOnce has several feeds that all could notice.
func leaseRunsOutOnce(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	feeds := []*sink{follow(t, a), follow(t, b), follow(t, b)}
	topics := []string{"log.1", "log.2", "table.x"}
	for _, topic := range topics {
		publish(t, a, leased(set(topic, "k", "v"), event.MinLease))
	}
	publish(t, b, message("free", "x"))
	for _, topic := range topics {
		events := untilEnded(t, b, topic)
		expectLost(t, events, event.MinLease)
		why := refused[*event.EndedError](t, a, 0, set(topic, "k", "late"))
		if *why != (event.EndedError{Topic: event.Topic(topic), Status: event.ProducerLost}) {
			t.Errorf("a late message is refused with %+v", *why)
		}
	}
	mark := now(t, a)
	for _, feed := range feeds {
		feed.until("the ends are fed", func(_ []event.Event, at event.Position) bool { return at.After(mark) })
		fed := feed.events()
		for _, topic := range topics {
			of := slices.DeleteFunc(slices.Clone(fed), func(e event.Event) bool { return string(e.Topic) != topic })
			equal(t, topic+", as it was fed", of, all(t, a, topic))
		}
	}
	if info, _, err := a.Topic(t.Context(), "free"); err != nil || info.Status != "" {
		t.Errorf("a topic without a lease is described as %+v, %v", info, err)
	}
}

// leaseIsRenewed publishes for longer than the lease, from both nodes, and
// stops then.
func leaseIsRenewed(t *testing.T, open Open) {
	const lease = 1500 * time.Millisecond
	node := open(t, wide())
	nodes := []hub.Bus{node(), node()}
	follow(t, nodes[0])
	follow(t, nodes[1])
	started := publish(t, nodes[0], leased(message("log", "first"), lease))[0].Cursor.Position
	turn := 0
	eventually(t, "the lease has passed twice", func() bool {
		turn++
		_, err := nodes[turn%2].Publish(t.Context(), []event.Message{message("log", "more")})
		return err != nil || now(t, nodes[0]).After(started.Add(2*lease))
	})
	expectLost(t, untilEnded(t, nodes[1], "log"), lease)
}

// leaseIsReplaced by a shorter and by a longer one.
func leaseIsReplaced(t *testing.T, open Open) {
	bus := open(t, wide())()
	follow(t, bus)
	publish(t, bus, leased(message("shorter", "1"), time.Hour), leased(message("longer", "1"), event.MinLease))
	publish(t, bus, leased(message("shorter", "2"), event.MinLease), leased(message("longer", "2"), time.Hour))
	expectLost(t, untilEnded(t, bus, "shorter"), event.MinLease)
	publish(t, bus, message("longer", "3"))
}

// leaseGoesWithTheEnd ends a topic before its lease runs out.
func leaseGoesWithTheEnd(t *testing.T, open Open) {
	bus := open(t, wide())()
	follow(t, bus)
	publish(t, bus, leased(message("ended", "1"), event.MinLease))
	publish(t, bus, end("ended", event.Completed))
	publish(t, bus, leased(message("witness", "1"), 2*event.MinLease))
	untilEnded(t, bus, "witness")
	events := all(t, bus, "ended")
	if len(events) != 2 || events[1].End != event.Completed {
		t.Errorf("it ended as %+v", events)
	}
	if page := history(t, bus, event.Range{Topic: "ended", Upto: now(t, bus)}); page.End == nil || page.End.End != event.Completed {
		t.Errorf("it ended as %+v", page.End)
	}
}
