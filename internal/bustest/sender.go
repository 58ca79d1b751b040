package bustest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// anySenderDoublesNothing holds a bus against a model of one producer. It sends
// its messages in batches, to any node; some answers get lost, some batches are
// refused, and it goes on from the first message that was not acknowledged, or
// from one before.
func anySenderDoublesNothing(t *testing.T, open Open) {
	node := open(t, wide())
	nodes := []hub.Bus{node(), node(), node()}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		s := &sender{rt: rt, nodes: nodes, run: run, top: map[event.Topic]event.Message{},
			at: map[event.Message]event.Cursor{}}
		s.draw()
		for s.acked < len(s.messages) {
			s.step()
		}
		s.expectHistory()
	})
}

// sender is a producer and what it knows to be true of the bus.
type sender struct {
	rt       *rapid.T
	nodes    []hub.Bus
	run      int
	messages []event.Message
	acked    int // so many are acknowledged

	next int                            // the first one that the bus has not taken
	top  map[event.Topic]event.Message  // the highest one taken
	at   map[event.Message]event.Cursor // what was taken, and where it is
}

// draw makes up the messages. Their topics are this run's own.
func (s *sender) draw() {
	seq := rapid.Int64Range(0, 3).Draw(s.rt, "first")
	for i := range rapid.IntRange(1, 40).Draw(s.rt, "messages") {
		m := message(fmt.Sprint("t", s.run, ".", rapid.IntRange(0, 2).Draw(s.rt, "topic")), fmt.Sprint(i))
		m.Producer, m.Seq = "p", seq
		if rapid.IntRange(0, 3).Draw(s.rt, "key") == 0 {
			m.IdempotencyKey = fmt.Sprint("k", i)
		}
		s.messages = append(s.messages, m)
		seq += rapid.Int64Range(1, 3).Draw(s.rt, "step")
	}
}

func (s *sender) step() {
	from := s.acked - rapid.IntRange(0, min(s.acked, 3)).Draw(s.rt, "overlap")
	upto := rapid.IntRange(s.acked+1, min(s.acked+10, len(s.messages))).Draw(s.rt, "upto")
	batch := s.messages[from:upto]
	bus := rapid.SampledFrom(s.nodes).Draw(s.rt, "node")
	if rapid.IntRange(0, 4).Draw(s.rt, "refused") == 0 {
		s.refused(bus, batch)
		return
	}
	receipts, err := bus.Publish(s.rt.Context(), batch)
	if err != nil || len(receipts) != len(batch) {
		s.rt.Fatalf("%d receipts for %d messages, %v", len(receipts), len(batch), err)
	}
	for i, r := range receipts {
		s.check(from+i, r)
	}
	if rapid.IntRange(0, 2).Draw(s.rt, "lost") > 0 {
		s.acked = upto
	}
}

// refused sends the batch with two messages behind it that share a key.
func (s *sender) refused(bus hub.Bus, batch []event.Message) {
	one, other := message(fmt.Sprint("t", s.run, ".0"), "one"), message(fmt.Sprint("t", s.run, ".0"), "other")
	one.IdempotencyKey, other.IdempotencyKey = "clash", "clash"
	if _, err := bus.Publish(s.rt.Context(), slices.Concat(batch, []event.Message{one, other})); !errors.Is(err, event.ErrKeyReused) {
		s.rt.Fatalf("a key for two messages: %v", err)
	}
}

// check holds the receipt of message i against the model.
func (s *sender) check(i int, r event.Receipt) {
	m := s.messages[i]
	want := event.Receipt{Topic: m.Topic, Cursor: r.Cursor}
	if i < s.next {
		want = event.Receipt{Topic: m.Topic, Duplicate: true}
		if s.top[m.Topic] == m {
			want.Cursor = s.at[m]
		}
	} else {
		s.next, s.top[m.Topic], s.at[m] = i+1, m, r.Cursor
	}
	if r != want || !r.Duplicate && r.Cursor == (event.Cursor{}) {
		s.rt.Fatalf("message %d: got %+v, want %+v", i, r, want)
	}
}

// expectHistory holds what is stored against the model.
func (s *sender) expectHistory() {
	of := map[event.Topic][]event.Message{}
	for _, m := range s.messages {
		of[m.Topic] = append(of[m.Topic], m)
	}
	clock, err := s.nodes[0].Clock(s.rt.Context())
	if err != nil {
		s.rt.Fatal(err)
	}
	for topic, want := range of {
		page, err := s.nodes[0].History(s.rt.Context(), event.Range{Topic: topic, Upto: clock.Position})
		if err != nil || len(page.Events) != len(want) {
			s.rt.Fatalf("%s has %d events, want %d (%v)", topic, len(page.Events), len(want), err)
		}
		for i, e := range page.Events {
			if e.Data != want[i].Data || e.Cursor() != s.at[want[i]] {
				s.rt.Fatalf("%s has %q at %v, want %q at %v", topic, e.Data.Text, e.Position, want[i].Data.Text, s.at[want[i]].Position)
			}
		}
	}
}
