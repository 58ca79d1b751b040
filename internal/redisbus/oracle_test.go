package redisbus_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// twin is one of two buses to which the same happens. Their positions differ,
// so places are told by the number of the event that stands there.
type twin struct {
	bus    hub.Bus
	places []event.Position // of all events, in order
	number map[event.Position]int
}

// TestSameAsMemory has the same happen to a bus over Redis and to one in
// memory, and compares what they have to say about it.
func TestSameAsMemory(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var runs atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		// What an entry takes besides its texts differs; the data is so large,
		// and the limits lie so, that it does not count.
		limits := event.Retention{Messages: rapid.IntRange(1, 20).Draw(t, "messages"), Age: time.Hour,
			Bytes: 10_000*rapid.IntRange(0, 20).Draw(t, "bytes") + 5_000}
		o := redisbus.Options{URL: server.URL, Prefix: fmt.Sprintf("tt:{%d}:", runs.Add(1)), Retention: limits}
		overRedis, err := redisbus.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer overRedis.Close()
		twins := []*twin{{bus: overRedis}, {bus: membus.New(membus.Options{Retention: limits})}}
		for _, w := range twins {
			w.number = map[event.Position]int{{}: -1}
		}
		count := 0
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				batch := rapid.SliceOfN(drawMessage, 1, 8).Draw(t, "batch")
				for i := range batch {
					batch[i].Data.Text = fmt.Sprintf("%d %s", count, batch[i].Data.Text)
					count++
				}
				for _, w := range twins {
					w.publish(t, batch)
				}
			},
			"read": func(t *rapid.T) { compare(t, twins, count) },
			"":     func(*rapid.T) {},
		})
	})
}

var topicNames = rapid.SampledFrom([]event.Topic{"a", "b.c", "~:@-_"})

var drawMessage = rapid.Custom(func(t *rapid.T) event.Message {
	return event.Message{Topic: topicNames.Draw(t, "topic"), Name: rapid.SampledFrom([]string{"", "tick"}).Draw(t, "name"),
		Key:  rapid.SampledFrom([]string{"", "k"}).Draw(t, "key"),
		Data: event.Data{Text: strings.Repeat("x", 10_000*rapid.IntRange(0, 3).Draw(t, "size"))}}
})

func (w *twin) publish(t *rapid.T, batch []event.Message) {
	receipts, err := w.bus.Publish(context.Background(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range receipts {
		w.number[r.Cursor.Position] = len(w.places)
		w.places = append(w.places, r.Cursor.Position)
	}
}

// compare reads the same part of a topic from both.
func compare(t *rapid.T, twins []*twin, count int) {
	topic := topicNames.Draw(t, "topic")
	after := rapid.IntRange(-1, count).Draw(t, "after")
	upto := rapid.IntRange(after, count).Draw(t, "upto")
	last := rapid.IntRange(0, 12).Draw(t, "last")
	limit := rapid.IntRange(0, 12).Draw(t, "limit")
	bytes := 10_000 * rapid.IntRange(0, 5).Draw(t, "bytes")
	var said [2]string
	for i, w := range twins {
		page, err := w.bus.History(context.Background(), event.Range{Topic: topic, After: w.place(after), Upto: w.place(upto), Last: last, Limit: limit, Bytes: bytes})
		if err != nil {
			t.Fatal(err)
		}
		said[i] = w.say(page)
	}
	if said[0] != said[1] {
		t.Fatalf("of %s behind %d up to %d of %d, last %d, limits %d and %d:\nRedis  %s\nmemory %s", topic, after, upto, count-1, last, limit, bytes, said[0], said[1])
	}
}

// place returns where the event of that number stands; before all of them, or
// behind.
func (w *twin) place(number int) event.Position {
	switch {
	case number < 0:
		return event.Position{}
	case number == len(w.places):
		return event.Position{MS: 1 << 47}
	}
	return w.places[number]
}

func (w *twin) say(page event.Page) string {
	number := func(p event.Position) string {
		n, known := w.number[p]
		if !known {
			return "end"
		}
		return fmt.Sprint(n)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "(%s, %s]", number(page.After), number(page.Upto))
	for _, g := range page.Gaps {
		fmt.Fprintf(&b, " gap %s up to %s", g.Reason, number(g.Position))
	}
	for _, e := range page.Events {
		text, _, _ := strings.Cut(e.Data.Text, " ")
		fmt.Fprintf(&b, " %s/%s:%s<%s %s %s %d", number(e.Position), text, e.Topic, number(e.Prev), e.Name, e.Key, len(e.Data.Text))
	}
	return b.String()
}
