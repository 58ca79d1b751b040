package metrics_test

import (
	"strings"
	"testing"
	"time"

	"tickertape/internal/nodetest"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

func TestRedisFaults(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus, err := redisbus.Open(redisbus.Options{URL: server.URL, Beat: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	n := start(t, bus, nodetest.Options{})
	s := n.listen("topic=a")
	wire := labelled("redis_reconnects_total", "connection", "wire")
	redisTimed := labelled("publish_duration_seconds_count", "bus", "redis")
	n.expect("began", n.samples(), moves{})
	if got := n.samples(); got["bus_ready"] != 1 || got["epoch"] != 1 || got[wire] != 0 || got["redis_waiting_publishes"] != 0 {
		t.Errorf("at first: %v", got)
	}

	before := n.samples()
	server.Must("CLIENT", "KILL", "TYPE", "pubsub")
	n.expect("the wire is cut", before, moves{wire: 1, "repairs_total": 1})

	before = n.samples()
	n.publish("?topic=a", "", "kept by nobody")
	n.expect("published", before, moves{published("raw", "stored"): 1, requests("raw", 200): 1, redisTimed: 1, "events_delivered_total": 1})
	accepted, heard := labelled("redis_beats_total", "outcome", "accepted"), "redis_announcements_total"
	n.await("beats", func(now moves) bool { return now[accepted] > before[accepted]+1 && now[heard] > before[heard]+2 })

	// It comes back empty, which this node can prove.
	server.Kill()
	if status := n.publish("?topic=a", "", "refused"); status != 503 {
		t.Errorf("a publish while Redis is away: %d", status)
	}
	n.await("Redis is away", func(now moves) bool {
		return now["bus_ready"] == 0 && now[labelled("redis_beats_total", "outcome", "failed")] > 0 && now["feed_lag_seconds"] > 0.3
	})
	server.Restart()
	n.await("Redis is back", func(now moves) bool {
		return now["bus_ready"] == 1 && now["epoch"] == 2 && now["redis_losses_reported_total"] == 1 && now[gaps("store_lost")] == 1
	})
	now := n.samples()
	if now[wire] < 2 || now[labelled("redis_reconnects_total", "connection", "lane")] < 1 || now["repairs_total"] < 2 ||
		now[published("raw", "not_stored")]+now[published("raw", "unknown")] != 1 || now[requests("raw", 503)] != 1 {
		t.Errorf("after the restart: %v", now)
	}
	if text := s.text(); strings.Count(text, "hub.gap") != 1 {
		t.Errorf("the stream got %q", text)
	}
}
