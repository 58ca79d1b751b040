package referee_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/nodetest"
	"tickertape/internal/referee"
	"tickertape/internal/stream"
)

// While Redis is away streams stay, new ones are taken, publishers are told
// and so is whoever asks for the node's health; and when it is back all goes on.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	ways := map[string]struct{ leave, back func(*referee.Cluster) }{
		"frozen": {func(c *referee.Cluster) { c.Redis.Stop() }, func(c *referee.Cluster) { c.Redis.Cont() }},
		"killed": {func(c *referee.Cluster) { c.Redis.Kill() }, func(c *referee.Cluster) { c.Redis.Restart() }},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := nodetest.Options{Stream: stream.Options{KeepAlive: 100 * time.Millisecond, Retry: 100 * time.Millisecond}}
			c := referee.Start(t, referee.Options{Node: node, Redis: durable}, topics...)
			a := c.Listen("a")
			n := c.Nodes()[0]
			old := open(t, n, "news", "")
			way.leave(c)

			answer := make(chan error, 1)
			go func() {
				_, err := n.Client.Publish(t.Context(), event.Message{Topic: "away", Data: event.Data{Text: "x"}})
				answer <- err
			}()
			began := time.Now()
			c.Await("the node is not ready", func() bool { return !n.Ready() })
			if status, why := n.Readyz(); status != http.StatusServiceUnavailable || !strings.Contains(why, "Redis") {
				t.Errorf("/readyz: %d %s", status, why)
			}
			streams := []*raw{old, open(t, n, "news", ""), open(t, n, "news", "&since=all")}
			for i, s := range streams {
				quiet := s.count(":")
				c.Await("signs of life", func() bool { return s.count(":") > quiet+3 })
				if s.status != http.StatusOK || s.count("event: hub.open") != 1 {
					t.Errorf("stream %d: %d, %d openings", i, s.status, s.count("event: hub.open"))
				}
			}
			expectUnavailable(t, <-answer)
			if took := time.Since(began); took > answerTime() {
				t.Errorf("the answer took %v", took)
			}

			way.back(c)
			c.Await("the node is ready", n.Ready)
			c.Send(n, "news", 0, true)
			for i, s := range streams {
				c.Await("the event comes", func() bool { return s.count("data: 0") == 1 })
				if s.over() || s.count("event: hub.gap") > 0 {
					t.Errorf("stream %d: ended: %t, gaps: %d", i, s.over(), s.count("event: hub.gap"))
				}
			}
			c.Finish(nil)
			if a.Opens() != 1 {
				t.Errorf("a client had to come back %d times", a.Opens()-1)
			}
		})
	}
}

// durable are the arguments of a Redis that comes back with all that it
// acknowledged.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

func expectUnavailable(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Status != http.StatusServiceUnavailable || e.RetryAfter == 0 || e.Stored != "no" && e.Stored != "unknown" {
		t.Errorf("got %v", err)
	}
}

// A node that starts without its Redis waits for it.
func TestStartWithoutRedis(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{Nodes: 1, Redis: durable}, topics...)
	c.Redis.Kill()
	n := c.StartNode()
	if status, why := n.Readyz(); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d %s", status, why)
	}
	if s := open(t, n, "news", ""); s.status != http.StatusOK {
		t.Errorf("a stream is answered %d", s.status)
	}
	_, err := n.Client.Publish(t.Context(), event.Message{Topic: "away", Data: event.Data{Text: "x"}})
	expectUnavailable(t, err)
	c.Redis.Restart()
	c.Await("the node is ready", n.Ready)
	c.ListenAt(n, "a")
	c.Send(n, "news", 0, false)
	c.Finish(nil)
}
