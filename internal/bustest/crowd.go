package bustest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// MaxTopics is how many topics there may be in these tests.
const MaxTopics = 2 * event.MaxBatch

// begin publishes a message to each of n new topics.
func begin(t *testing.T, bus hub.Bus, prefix string, n int) {
	t.Helper()
	list := make([]event.Message, n)
	for i := range list {
		list[i] = message(fmt.Sprint(prefix, ".", i), "x")
	}
	for part := range slices.Chunk(list, event.MaxBatch) {
		publish(t, bus, part...)
	}
}

// crowded expects that the messages are refused for the one with the index, since it
// would begin a topic too many.
func crowded(t *testing.T, bus hub.Bus, index int, list ...event.Message) {
	t.Helper()
	_, err := bus.Publish(t.Context(), list)
	item, ok := errors.AsType[*event.ItemError](err)
	if !ok || item.Index != index || !errors.Is(err, event.ErrTooManyTopics) {
		t.Fatalf("got %v, want message %d refused with ErrTooManyTopics", err, index)
	}
}

// topicsAreLimited fills the books from two nodes.
func topicsAreLimited(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	keyed := message("t.0", "keyed")
	keyed.IdempotencyKey = "k"
	begin(t, a, "t", MaxTopics-2)
	first := publish(t, a, keyed)[0]
	begin(t, b, "ephemeral", 10) // are in no books

	crowded(t, b, 3, message("u.0", "x"), message("t.1", "no"), message("u.1", "x"), set("table.u", "k", "v"))
	crowded(t, a, 4, message("u.0", "x"), message("u.1", "x"), message("u.1", "y"), message("ephemeral.x", "y"), end("u.2", event.Completed))
	equal(t, "after refusals", texts(all(t, a, "t.1")), []string{"x"})
	publish(t, a, message("u.0", "1"), message("t.1", "yes"), message("u.0", "2"), set("table.u", "k", "v"))
	for _, bus := range []hub.Bus{a, b} {
		crowded(t, bus, 0, message("u.1", "x"))
		crowded(t, bus, 1, message("u.0", "no"), end("u.1", event.Completed))
		publish(t, bus, message("u.0", "y"), set("table.u", "k", "w"), message("ephemeral.z", "x"))
	}
	if again := publish(t, b, keyed)[0]; !again.Duplicate || again.Cursor != first.Cursor {
		t.Errorf("a retry got %+v, the first one %+v", again, first)
	}
	equal(t, "u.0", texts(all(t, b, "u.0")), []string{"1", "2", "y", "y"})
}

// topicsMakeRoom when all of them has expired.
func topicsMakeRoom(t *testing.T, open Open) {
	limits := wide()
	limits.Age = time.Second
	bus := open(t, limits)()
	follow(t, bus) // books are swept while a feed runs
	begin(t, bus, "t", MaxTopics)
	eventually(t, "there is room", func() bool {
		_, err := bus.Publish(t.Context(), []event.Message{message("u", "x")})
		if err != nil && !errors.Is(err, event.ErrTooManyTopics) {
			t.Fatal(err)
		}
		return err == nil
	})
}
