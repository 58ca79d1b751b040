package redisbus_test

import (
	"errors"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestPublishersBeginTopicsTogether has publishers begin topics in one call, for which
// there is not enough room: who is refused takes none.
func TestPublishersBeginTopicsTogether(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL, MaxTopics: 4})
	sent(t, bus, event.Message{Topic: "old", Data: event.Data{Text: "x"}})
	of := func(topics ...event.Topic) redisbus.Group {
		g := redisbus.Group{Deadline: time.Now().Add(patience)}
		for _, topic := range topics {
			g.Messages = append(g.Messages, event.Message{Topic: topic, Data: event.Data{Text: "x"}})
		}
		return g
	}
	list := []redisbus.Group{of("a", "b", "c", "d"), of("a", "old", "a"), of("b", "c", "d"), of("b", "a"), of("b", "c", "old"), of("d"), of("old", "c")}
	for i, g := range bus.PublishTogether(list) {
		refused := map[int]int{0: 3, 2: 2, 5: 0}
		at, is := refused[i]
		item, _ := errors.AsType[*event.ItemError](g.Err)
		if is && (item == nil || item.Index != at || !errors.Is(g.Err, event.ErrTooManyTopics)) || !is && g.Err != nil {
			t.Errorf("publish %d: %v", i, g.Err)
		}
	}
	if n := server.Must("ZCARD", "tt:{0}:topics"); n != "4" {
		t.Errorf("there are %s topics", n)
	}
}
