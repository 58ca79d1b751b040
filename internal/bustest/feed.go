package bustest

import (
	"fmt"
	"sync"
	"testing"

	"tickertape/internal/event"
)

// feedIsUnbroken publishes from several nodes at once and compares every
// node's feed with what the publishers were told.
func feedIsUnbroken(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	feeds := []*sink{follow(t, a), follow(t, b)}
	const publishers, each = 8, 1000
	var mu sync.Mutex
	told := map[event.Position]string{}
	var running sync.WaitGroup
	for p := range publishers {
		running.Go(func() {
			bus := a
			if p%2 == 1 {
				bus = b
			}
			last := event.Position{}
			for i := range each {
				text := fmt.Sprint(p, ".", i)
				r := publish(t, bus, message(fmt.Sprint("t", i%5), text))[0]
				if !r.Cursor.Position.After(last) {
					t.Errorf("%q got %v, behind %v", text, r.Cursor.Position, last)
				}
				last = r.Cursor.Position
				mu.Lock()
				told[last] = text
				mu.Unlock()
			}
		})
	}
	running.Wait()
	for _, feed := range feeds {
		feed.until("all is fed", func(fed []event.Event, _ event.Position) bool { return len(fed) >= publishers*each })
		prev := map[event.Topic]event.Position{}
		fed := feed.events()
		for _, e := range fed {
			if told[e.Position] != e.Data.Text {
				t.Fatalf("%v was fed as %q, told as %q", e.Position, e.Data.Text, told[e.Position])
			}
			if e.Prev != prev[e.Topic] {
				t.Fatalf("%v of %s has Prev %v, want %v", e.Position, e.Topic, e.Prev, prev[e.Topic])
			}
			prev[e.Topic] = e.Position
		}
		if len(fed) != publishers*each || len(told) != publishers*each {
			t.Fatalf("%d fed, %d told, want %d", len(fed), len(told), publishers*each)
		}
	}
}

// feedBeginsAtItsWatermark joins while publishers run: what lies behind the
// first watermark comes by the feed, the rest is in the history.
func feedBeginsAtItsWatermark(t *testing.T, open Open) {
	node := open(t, wide())
	publisher, reader := node(), node()
	const total = 600
	joined := make(chan *sink, 3)
	var running sync.WaitGroup
	running.Go(func() {
		for i := range total {
			publish(t, publisher, message("news", fmt.Sprint(i)))
			if i%200 == 50 {
				joined <- follow(t, reader)
			}
		}
		close(joined)
	})
	running.Wait()
	for feed := range joined {
		feed.until("the last one is fed", func(fed []event.Event, _ event.Position) bool {
			return len(fed) > 0 && fed[len(fed)-1].Data.Text == fmt.Sprint(total-1)
		})
		before := history(t, reader, event.Range{Topic: "news", Upto: feed.from}).Events
		fed := feed.events()
		whole := texts(append(before, fed...))
		if len(whole) != total {
			t.Fatalf("%d before the feed began and %d by it: want %d together", len(before), len(fed), total)
		}
		equal(t, "history and feed", whole, texts(all(t, reader, "news")))
	}
}

func fedIsInHistory(t *testing.T, open Open) {
	node := open(t, wide())
	publisher, reader := node(), node()
	feed := follow(t, reader)
	for i := range 100 {
		publish(t, publisher, message("news", fmt.Sprint(i)))
		feed.until("it is fed", func(fed []event.Event, _ event.Position) bool { return len(fed) > i })
		feed.mu.Lock()
		e, mark := feed.fed[i], feed.mark
		feed.mu.Unlock()
		page := history(t, reader, event.Range{Topic: "news", After: e.Prev, Upto: mark})
		if len(page.Events) == 0 || page.Events[0].Position != e.Position || len(page.Gaps) > 0 {
			t.Fatalf("%v was fed, but the history behind %v is %+v", e.Position, e.Prev, page)
		}
	}
}

func watermarkFollowsTheClock(t *testing.T, open Open) {
	bus := open(t, wide())()
	feed := follow(t, bus)
	clock := now(t, bus)
	feed.until("the watermark rises without events", func(_ []event.Event, mark event.Position) bool {
		return mark.After(clock)
	})
	if r := publish(t, bus, message("news", "x"))[0]; !r.Cursor.Position.After(clock) {
		t.Fatalf("%v was given out, the clock had been at %v", r.Cursor.Position, clock)
	}
}
