package bustest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// endIsAnEvent ends topics with a last message and without one, those that
// had messages and those that had none.
func endIsAnEvent(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	feed := follow(t, b)
	publish(t, a, message("log.1", "x"), set("table.1", "k", "x"))
	for i, m := range []event.Message{
		ending(message("log.1", "last"), event.Completed), end("log.2", event.Cancelled), ending(message("log.3", "only"), event.Failed),
		end("table.1", event.Failed), ending(set("table.2", "k", "v"), event.Completed), ending(del("table.3", "k"), event.Completed),
	} {
		r := publish(t, a, m)[0]
		feed.until("the end is fed", func(fed []event.Event, _ event.Position) bool {
			return len(fed) > 0 && fed[len(fed)-1].End != "" && fed[len(fed)-1].Topic == m.Topic
		})
		events := all(t, b, string(m.Topic))
		fed := feed.events()
		last := events[len(events)-1]
		want := event.NewEnd(m.Topic, last.Kind, m.End)
		want.Epoch, want.Position, want.Prev = r.Cursor.Epoch, r.Cursor.Position, last.Prev
		if last != want || fed[len(fed)-1] != want {
			t.Errorf("%d: the end is stored as %+v and fed as %+v, want %+v", i, last, fed[len(fed)-1], want)
		}
		if n := len(events); n > 1 && (last.Prev != events[n-2].Position || events[n-2].End != "") {
			t.Errorf("%d: the end is behind %v, want %v", i, last.Prev, events[n-2].Position)
		}
		if n := len(events); !m.EndOnly && (n < 2 || events[n-2].Data != m.Data) {
			t.Errorf("%d: the message before the end is not stored: %+v", i, events)
		}
		if r.Duplicate {
			t.Errorf("%d: the receipt is %+v", i, r)
		}
		info, known, err := b.Topic(t.Context(), m.Topic)
		if err != nil || !known || info.Status != m.End || info.Last != r.Cursor || info.Retained != len(events) || info.Kind != last.Kind {
			t.Errorf("%d: described as %+v, %v, %v", i, info, known, err)
		}
	}
	infos, err := a.Topics(t.Context(), nil, "table.1", 1)
	if err != nil || len(infos) != 1 || infos[0].Status != event.Completed || infos[0].Kind != event.KindLatest {
		t.Errorf("listed as %+v, %v", infos, err)
	}
}

// endInEveryPage: whatever part of a topic is read, the page says how it ended.
func endInEveryPage(t *testing.T, open Open) {
	limits := wide()
	limits.Messages = 3
	bus := open(t, limits)()
	receipts := publish(t, bus, messages("log", 5)...)
	if page := history(t, bus, event.Range{Topic: "log", Upto: now(t, bus)}); page.End != nil {
		t.Errorf("a topic that lives has the end %+v", page.End)
	}
	receipts = append(receipts, publish(t, bus, end("log", event.Completed))...)
	at := func(i int) event.Position { return receipts[i].Cursor.Position }
	upto := now(t, bus)
	for _, r := range []event.Range{
		{Upto: upto}, {Upto: at(0)}, {After: at(3), Upto: at(4)}, {After: at(5), Upto: upto}, {After: at(2), Upto: upto, Limit: 1},
		{Upto: upto, Last: 1}, {Upto: upto, Last: 3, Limit: 1},
	} {
		r.Topic = "log"
		if page := history(t, bus, r); page.End == nil || page.End.Cursor() != receipts[5].Cursor || page.End.End != event.Completed || page.End.Prev != at(4) {
			t.Errorf("%+v: the end is %+v", r, page.End)
		}
	}
	if page := history(t, bus, event.Range{Topic: "other", Upto: upto}); page.End != nil {
		t.Errorf("a topic that never was has the end %+v", page.End)
	}
}

func endedRefusesAll(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	publish(t, a, ending(message("log", "last"), event.Failed), end("table.x", event.Completed))
	fine := message("other", "x")
	for _, c := range []struct {
		index  int
		status event.Status
		batch  []event.Message
	}{
		{0, event.Failed, []event.Message{message("log", "x")}},
		{0, event.Failed, []event.Message{end("log", event.Failed)}},
		{0, event.Completed, []event.Message{set("table.x", "k", "v")}},
		{2, event.Failed, []event.Message{fine, fine, end("log", event.Cancelled), fine}},
		{1, event.Cancelled, []event.Message{end("new", event.Cancelled), message("new", "x")}},
		{2, event.Completed, []event.Message{ending(message("new", "x"), event.Completed), fine, end("new", event.Failed)}},
	} {
		why := refused[*event.EndedError](t, b, c.index, c.batch...)
		if want := (event.EndedError{Topic: c.batch[c.index].Topic, Status: c.status}); *why != want {
			t.Errorf("refused with %+v, want %+v", *why, want)
		}
	}
	if _, known, err := a.Topic(t.Context(), "new"); known || err != nil {
		t.Errorf("what was refused left a topic behind (%v)", err)
	}
	publish(t, b, fine)
}

// endIsRepeated: what was taken before the end, and the end itself, is
// answered again as it was.
func endIsRepeated(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	keyed := message("log", "keyed")
	keyed.IdempotencyKey = "k"
	last := ending(message("log", "last"), event.Completed)
	last.IdempotencyKey = "last"
	bare := end("bare", event.Cancelled)
	bare.IdempotencyKey = "bare"
	byNumber := numbered("numbered", "p", 1, 3)
	byNumber[2].End = event.Completed
	batch := append([]event.Message{keyed, last, bare}, byNumber...)
	first := publish(t, a, batch...)
	before := stored(t, a, batch)
	for i, r := range publish(t, b, batch...) {
		if want := (event.Receipt{Topic: batch[i].Topic, Cursor: first[i].Cursor, Duplicate: true}); r != want && (i != 3 && i != 4 || !r.Duplicate) {
			t.Errorf("message %d again: %+v, want %+v", i, r, want)
		}
	}
	equal(t, "stored", stored(t, a, batch), before)
	// With something new among them, nothing is taken.
	refused[*event.EndedError](t, b, 2, keyed, last, message("log", "new"))
	refused[*event.EndedError](t, b, 3, append(byNumber, numbered("numbered", "p", 4, 4)...)...)
	// The same words with another end are another message.
	for _, m := range []event.Message{ending(last, event.Failed), ending(last, ""), ending(bare, event.Completed)} {
		if _, err := b.Publish(t.Context(), []event.Message{m}); !errors.Is(err, event.ErrKeyReused) {
			t.Errorf("%+v is taken for the first one: %v", m, err)
		}
	}
}

// racingEndsEndOnce ends and cancels topics from two nodes at once.
func racingEndsEndOnce(t *testing.T, open Open) {
	node := open(t, wide())
	nodes := []hub.Bus{node(), node()}
	for round := range 30 {
		topic := fmt.Sprint("log.", round)
		var racers sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		for i, status := range []event.Status{event.Completed, event.Cancelled, event.Failed, event.Cancelled} {
			racers.Go(func() {
				_, err := nodes[i%2].Publish(t.Context(), []event.Message{end(topic, status)})
				mu.Lock()
				defer mu.Unlock()
				if _, ended := errors.AsType[*event.EndedError](err); err == nil {
					taken++
				} else if !ended {
					t.Errorf("an end got %v", err)
				}
			})
		}
		racers.Wait()
		if events := all(t, nodes[0], topic); taken != 1 || len(events) != 1 {
			t.Fatalf("%d ends were taken, %d events stored", taken, len(events))
		}
	}
}
