package redisbus_test

import (
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// A topic of which the store has nothing but that it lost something: when it
// goes on, that is still a loss, and nothing has expired.
func TestTopicThatBeginsWithALoss(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus, err := redisbus.Open(redisbus.Options{URL: server.URL, Beat: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	put := func(topic event.Topic) {
		m := []event.Message{{Topic: topic, Data: event.Data{Text: "x"}}}
		if _, err := bus.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	losses := func() (gaps []event.Gap) {
		page, _ := bus.History(t.Context(), event.Range{Topic: "news", Upto: event.Position{MS: 1 << 47}})
		return page.Gaps
	}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	put("other")
	for n := 1; n <= 2; n++ {
		server.Save()
		put("news")
		server.Kill()
		server.Restart()
		for deadline := time.Now().Add(10 * time.Second); len(losses()) < n; {
			if now := <-look.C; now.After(deadline) {
				t.Fatalf("loss %d is not told", n)
			}
		}
		put("news")
	}
	if gaps := losses(); len(gaps) != 2 || gaps[0].Reason != event.StoreLost || gaps[1].Reason != event.StoreLost {
		t.Errorf("what is missing is %+v", gaps)
	}
}
