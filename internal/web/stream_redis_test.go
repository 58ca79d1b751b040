package web_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/nodetest"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// 100,000 lines in one request are stored in their order, each once.
func TestLongStreamOverRedis(t *testing.T) {
	t.Parallel()
	const count = 100_000
	bus, err := redisbus.Open(redisbus.Options{URL: redistest.Start(t).URL, Log: slog.New(slog.DiscardHandler),
		Retention: event.Retention{Messages: count, Bytes: 64 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	n := startNode(t, nodetest.Options{Over: bus})
	n.client.Timeout = 0
	until(t, "the node is ready", func() bool { return n.do(t, get("/readyz")).status == 200 })
	for _, part := range []struct{ from, to, duplicates int }{{0, 60_000, 0}, {50_000, count, 10_000}} {
		a := n.do(t, postTo(fmt.Sprintf("?topic=t&producer=p&seq=%d", part.from), ndjsonType, lines(part.from, part.to)))
		if got := decode[streamed](t, a); got.Published != part.to-part.from-part.duplicates || got.Duplicates != part.duplicates {
			t.Errorf("answered %s", a.body)
		}
	}
	stored := n.stored(t)
	for i, e := range stored {
		if e.Data.Text != fmt.Sprint(i) {
			t.Fatalf("event %d is %s", i, strings.TrimSpace(e.Data.Text))
		}
	}
	if len(stored) != count {
		t.Errorf("%d are stored", len(stored))
	}
}
