package bustest

import (
	"testing"
	"time"

	"tickertape/internal/event"
)

// of returns the message as one of a life.
func of(life event.Position, m event.Message) event.Message {
	m.Life = life
	return m
}

func lifeIsOfTheTopic(t *testing.T, open Open) {
	limits := wide()
	limits.Messages = 2
	node := open(t, limits)
	a, b := node(), node()
	r := publish(t, a, message("log", "1"), message("other", "1"), message("log", "2"))
	r = append(r, publish(t, b, message("log", "3"), set("table.x", "k", "1"), set("table.x", "k", "2"))...)
	for i, want := range []event.Position{r[0].Cursor.Position, r[1].Cursor.Position, r[0].Cursor.Position, r[0].Cursor.Position, r[4].Cursor.Position, r[4].Cursor.Position} {
		if r[i].Life != want {
			t.Errorf("message %d is in the life %v, want %v", i, r[i].Life, want)
		}
	}
	life := r[0].Life
	if again := publish(t, b, of(life, message("log", "4")))[0]; again.Life != life || again.Duplicate {
		t.Errorf("a message for this life got %+v", again)
	}
	// Lives that the topic is not in, and one of a topic that never was.
	fine := message("log", "fine")
	for _, m := range []event.Message{
		of(r[1].Life, message("log", "x")), of(r[3].Cursor.Position, message("log", "x")), of(life, message("never.was", "x")), of(life, end("other", event.Completed)),
	} {
		if why := refused[*event.EndedError](t, a, 1, fine, m); *why != (event.EndedError{Topic: m.Topic}) {
			t.Errorf("%+v is refused with %+v", m, *why)
		}
	}
	publish(t, a, of(life, end("log", event.Completed)))
	if why := refused[*event.EndedError](t, b, 0, of(life, message("log", "late"))); why.Status != event.Completed {
		t.Errorf("behind the end of its life: %+v", *why)
	}
}

// nextLifeIsAnother ends a topic and waits until it is forgotten.
func nextLifeIsAnother(t *testing.T, open Open) {
	limits := wide()
	limits.Age = time.Second
	node := open(t, limits)
	a, b := node(), node()
	follow(t, a) // books are swept while a feed runs
	first := publish(t, a, ending(message("log", "old"), event.Completed))[0]
	refused[*event.EndedError](t, b, 0, message("log", "early"))
	eventually(t, "the topic is forgotten", func() bool {
		_, known, err := b.Topic(t.Context(), "log")
		return err == nil && !known
	})
	if why := refused[*event.EndedError](t, b, 0, of(first.Life, message("log", "late"))); why.Topic != "log" {
		t.Errorf("refused with %+v", *why)
	}
	next := publish(t, b, message("log", "new"))[0]
	if next.Life != next.Cursor.Position || !next.Life.After(first.Cursor.Position) {
		t.Errorf("the next life's first message got %+v", next)
	}
	if why := refused[*event.EndedError](t, a, 1, message("log", "x"), of(first.Life, message("log", "late"))); *why != (event.EndedError{Topic: "log"}) {
		t.Errorf("refused with %+v", *why)
	}
	publish(t, a, of(next.Life, message("log", "more")))
	page := history(t, a, event.Range{Topic: "log", After: first.Cursor.Position, Upto: now(t, a)})
	equal(t, "the next life", texts(page.Events), []string{"new", "more"})
	if page.End != nil || len(page.Gaps) > 0 {
		t.Errorf("the next life is %+v", page)
	}
	if info, _, err := a.Topic(t.Context(), "log"); err != nil || info.Status != "" {
		t.Errorf("described as %+v, %v", info, err)
	}
}
