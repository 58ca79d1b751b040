package redisbus_test

import (
	"fmt"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestActive lists topics over several pages, many of one millisecond among them,
// and not from a server that is not the one that wrote last.
func TestActive(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL})
	news, err := event.ParseSelector("news.*")
	if err != nil {
		t.Fatal(err)
	}
	const topics = 1200
	var batch []event.Message
	for i := range topics {
		batch = append(batch, event.Message{Topic: event.Topic(fmt.Sprint("news.", i)), Data: event.Data{Text: "x"}})
	}
	first := sent(t, bus, event.Message{Topic: "other"}, event.Message{Topic: "news.early"})[1].Cursor.Position
	eventually(t, "the clock goes on", func() bool { return nowIn(t, bus).After(first.Time()) })
	sent(t, bus, batch[:1000]...)
	last := sent(t, bus, batch[1000:]...)[0].Cursor
	expect := func(since event.Position, limit, want int) {
		t.Helper()
		a, err := bus.Active(t.Context(), news, since, limit)
		seen := map[event.Topic]bool{}
		for _, topic := range a.Topics {
			seen[topic] = true
		}
		if err != nil || len(seen) != want || len(a.Topics) != want || seen["other"] || a.Epoch != last.Epoch {
			t.Fatalf("since %v: %d topics, %d of them different, in %+v, %v; want %d", since, len(a.Topics), len(seen), a.Epoch, err, want)
		}
	}
	expect(event.Position{}, 5000, topics+1)
	expect(first.Add(time.Millisecond), 5000, topics)
	expect(event.Position{}, 10, 10)
	expect(end, 10, 0)

	// A new epoch is begun before anything is read.
	server.Must("HSET", "tt:{0}:clock", "run", "another")
	eventually(t, "it is in the next epoch", func() bool {
		a, err := bus.Active(t.Context(), news, event.Position{}, 1)
		return err == nil && a.Epoch.Number == last.Epoch.Number+1 && len(a.Topics) == 1
	})
}
