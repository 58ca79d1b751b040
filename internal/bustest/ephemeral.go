package bustest

import (
	"errors"
	"testing"

	"tickertape/internal/event"
)

func ephemeralIsNotKept(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	feed := follow(t, b)
	start := now(t, a)
	m := message("ephemeral.x", "1")
	m.Name, m.Key = "tick", "k"
	receipts := publish(t, a, m, message("log", "2"), message("ephemeral.x", "3"))
	receipts = append(receipts, publish(t, b, message("ephemeral.y", "4"), message("log", "5"))...)
	feed.until("all is fed", func(fed []event.Event, _ event.Position) bool { return len(fed) == 5 })
	fed := feed.events()
	equal(t, "feed", texts(fed), []string{"1", "2", "3", "4", "5"})
	for i, e := range fed {
		r := receipts[i]
		if r.Cursor != e.Cursor() {
			t.Errorf("%q was told to be at %v, but is at %v", e.Data.Text, r.Cursor.Position, e.Position)
		}
		if of := e.Topic == "log"; !of && (e.Kind != event.KindEphemeral || e.Prev != event.Position{}) || of && e.Kind != event.KindLog {
			t.Errorf("%+v, with the receipt %+v", e, r)
		}
	}
	if e := fed[0]; e.Name != "tick" || e.Key != "k" {
		t.Errorf("%+v came back as %+v", m, e)
	}
	if fed[1].Prev != (event.Position{}) || fed[4].Prev != fed[1].Position {
		t.Errorf("the log's events are behind %v and %v", fed[1].Prev, fed[4].Prev)
	}
	for _, after := range []event.Position{{}, start} {
		upto := now(t, a)
		page := history(t, a, event.Range{Topic: "ephemeral.x", After: after, Upto: upto})
		if len(page.Events)+len(page.Gaps) > 0 || page.Upto != upto || page.End != nil {
			t.Errorf("its history is %+v", page)
		}
	}
	if _, known, err := b.Topic(t.Context(), "ephemeral.x"); known || err != nil {
		t.Errorf("it is in the books (%v)", err)
	}
	infos, err := b.Topics(t.Context(), nil, "", 10)
	if err != nil || len(infos) != 1 || infos[0].Topic != "log" {
		t.Errorf("the topics are %+v, %v", infos, err)
	}
}

// ephemeralIsTakenOnce repeats messages by their keys and numbers.
func ephemeralIsTakenOnce(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	feed := follow(t, a)
	keyed := message("ephemeral.x", "keyed")
	keyed.IdempotencyKey = "k"
	batch := append(numbered("ephemeral.x", "p", 1, 3), keyed)
	first := publish(t, a, batch...)
	for i, r := range publish(t, b, batch...) {
		if !r.Duplicate || i >= 2 && r.Cursor != first[i].Cursor {
			t.Errorf("%q repeated got %+v, at first %+v", batch[i].Data.Text, r, first[i])
		}
	}
	other := keyed
	other.Data.Text = "other"
	if _, err := b.Publish(t.Context(), []event.Message{message("ephemeral.x", "not"), other}); !errors.Is(err, event.ErrKeyReused) {
		t.Errorf("a key for two messages: %v", err)
	}
	publish(t, a, message("ephemeral.x", "last"))
	feed.until("the last one is fed", func(fed []event.Event, _ event.Position) bool {
		return len(fed) > 0 && fed[len(fed)-1].Data.Text == "last"
	})
	equal(t, "feed", texts(feed.events()), []string{"1", "2", "3", "keyed", "last"})
}
