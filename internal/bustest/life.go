package bustest

import (
	"testing"
	"time"

	"tickertape/internal/event"
)

// topicLivesAgain ends a topic and waits until it is forgotten.
func topicLivesAgain(t *testing.T, open Open) {
	limits := wide()
	limits.Age = time.Second
	node := open(t, limits)
	a, b := node(), node()
	follow(t, a) // books are swept while a feed runs
	once := message("log", "once")
	once.IdempotencyKey = "once"
	first := publish(t, a, once)[0]
	last := publish(t, a, ending(message("log", "old"), event.Completed))[0]
	refused[*event.EndedError](t, b, 0, message("log", "early"))
	eventually(t, "the topic is forgotten", func() bool {
		_, known, err := b.Topic(t.Context(), "log")
		return err == nil && !known
	})
	// What was said in the life before is not said again in this one.
	if again := publish(t, b, once)[0]; !again.Duplicate || again.Cursor != first.Cursor {
		t.Errorf("a retry from the life before got %+v", again)
	}
	publish(t, b, message("log", "new"))
	publish(t, a, message("log", "more"))
	page := history(t, a, event.Range{Topic: "log", After: last.Cursor.Position, Upto: now(t, a)})
	equal(t, "the next life", texts(page.Events), []string{"new", "more"})
	if page.End != nil || len(page.Gaps) > 0 {
		t.Errorf("the next life is %+v", page)
	}
	if info, _, err := a.Topic(t.Context(), "log"); err != nil || info.Status != "" {
		t.Errorf("described as %+v, %v", info, err)
	}
}
