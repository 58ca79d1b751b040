package redisbus_test

import (
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// A page that ends before a loss tells what was trimmed before it. The loss
// is told behind the page, and what was trimmed since behind the loss.
func TestTrimmedAroundALoss(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus, err := redisbus.Open(redisbus.Options{URL: server.URL, Beat: 20 * time.Millisecond, Retention: event.Retention{Messages: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	put := func() event.Position {
		r, err := bus.Publish(t.Context(), []event.Message{{Topic: "news", Data: event.Data{Text: "x"}}})
		if err != nil {
			t.Fatal(err)
		}
		return r[0].Cursor.Position
	}
	read := func(upto event.Position) event.Page {
		page, err := bus.History(t.Context(), event.Range{Topic: "news", Upto: upto})
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	put()
	last := put()
	server.Save()
	put()
	server.Kill()
	server.Restart()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; {
		page, err := bus.History(t.Context(), event.Range{Topic: "news", After: last, Upto: event.Position{MS: 1 << 47}})
		if err == nil && len(page.Gaps) == 1 {
			break
		}
		if now := <-look.C; now.After(deadline) {
			t.Fatalf("the loss is not told: %+v, %v", page, err)
		}
	}
	put()
	put() // what was there before the loss is trimmed
	for _, upto := range []event.Position{last, last.Next(time.Time{})} {
		page := read(upto)
		if len(page.Gaps) != 1 || page.Gaps[0].Position != last || page.Gaps[0].Reason != event.Trimmed || page.Upto != upto {
			t.Errorf("up to %v it has %+v, want it whole, with what was trimmed up to %v", upto, page, last)
		}
	}
	put()
	gone := put()
	put()
	put()
	page, err := bus.History(t.Context(), event.Range{Topic: "news", After: last, Upto: event.Position{MS: 1 << 47}})
	if err != nil || len(page.Gaps) != 2 || page.Gaps[0].Reason != event.StoreLost || page.Gaps[1].Reason != event.Trimmed || page.Gaps[1].Position != gone {
		t.Errorf("behind %v it has %+v, %v, want a loss and then what was trimmed up to %v", last, page, err, gone)
	}
}
