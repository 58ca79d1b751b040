package torture

import (
	"fmt"
	"slices"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// own returns so many new topics that nobody publishes to but the case itself:
// what they have, and when, is in its hands.
func (r *Run) own(count int) []event.Topic {
	for range count {
		r.owned = append(r.owned, event.Topic(fmt.Sprint("own.", len(r.owned))))
	}
	return slices.Clone(r.owned[len(r.owned)-count:])
}

// all returns the topics of everybody and the cases' own.
func (r *Run) all() []event.Topic { return slices.Concat(r.Topics, r.owned) }

// teller is who publishes to a case's own topics.
const teller = -2

// tell publishes a message to each of the topics, in this order and in one
// batch, and returns their cursors. It goes on until they are acknowledged.
func (r *Run) tell(by *client.Client, topics ...event.Topic) (cursors []string) {
	r.T.Helper()
	numbers, messages := make([]int, len(topics)), make([]event.Message, len(topics))
	for i, topic := range topics {
		number, text := r.Ledger.Add(topic, teller)
		numbers[i], messages[i] = number, message(topic, text)
		messages[i].IdempotencyKey = fmt.Sprint(number)
	}
	r.Await("the case's own messages are acknowledged", func() bool {
		receipts, err := by.PublishBatch(r.T.Context(), messages)
		if err != nil {
			return false
		}
		for i, number := range numbers {
			r.Ledger.Acknowledge(number, receipts[i].ID)
			cursors = append(cursors, receipts[i].ID)
		}
		return true
	})
	return cursors
}

// hears waits until a hub has heard all that was told.
func (r *Run) hears(h *Hub) {
	r.T.Helper()
	marker := r.own(1)
	x := r.waiting("a client of "+string(marker[0]), r.here(), marker...)
	x.Resume(r.ClientAt(h))
	end := r.parse(r.tell(r.Reader, marker...)[0]).Position
	r.Await("the hub has heard what was told", func() bool { return !end.After(x.Last()) })
}

// turns returns the topics one after the other, so many times.
func turns(times int, topics ...event.Topic) (list []event.Topic) {
	for range times {
		list = append(list, topics...)
	}
	return list
}

// here returns a cursor of now: what a topic will have that is new lies behind
// it. That of the run's beginning may be of a store that is no more.
func (r *Run) here() (cursor string) {
	r.T.Helper()
	r.Await("a cursor of now", func() bool {
		receipt, err := r.Reader.Publish(r.T.Context(), event.Message{Topic: "torture.start"})
		cursor = receipt.ID
		return err == nil
	})
	return cursor
}

// waiting adds a client to whom nothing comes until it is resumed, or told to
// begin elsewhere than at the cursor behind which everything is due to it.
func (r *Run) waiting(name, start string, topics ...event.Topic) *referee.Listener {
	r.T.Helper()
	x, err := referee.NewListener(r.Ledger, name, start, topics...)
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(func() { x.Stop() })
	r.Listeners = append(r.Listeners, x)
	return x
}

// parse reads a cursor that a hub gave.
func (r *Run) parse(cursor string) event.Cursor {
	r.T.Helper()
	c, err := event.ParseCursor(cursor)
	if err != nil {
		r.T.Fatal(err)
	}
	return c
}
