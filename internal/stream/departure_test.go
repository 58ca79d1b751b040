package stream_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/stream"
)

// goodbye reads a stream to its end, which must be one that has a client come back,
// and returns the last lines of it, without signs of life.
func (n *node) goodbye(c *client) []string {
	n.t.Helper()
	var lines []string
	for {
		line, err := c.body.ReadString('\n')
		if err != nil {
			return lines
		}
		if line = strings.TrimSuffix(line, "\n"); line == ":" {
			lines = nil
			continue
		}
		lines = append(lines, line)
	}
}

// TestExpiry: a stream ends when its client's rights do, and says so.
func TestExpiry(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		begin := time.Now()
		c := n.get("/?seconds=100")
		defer c.conn.Close()
		c.block()
		lines := n.goodbye(c)
		n.within("it ended", time.Since(begin), 100, 101)
		if len(lines) != 4 || !strings.HasPrefix(lines[0], "retry: ") || lines[1] != "event: hub.auth" || lines[2] != `data: {"reason":"expired"}` || lines[3] != "" {
			t.Errorf("it ended with %q", lines)
		}
		if err := <-n.ended; !errors.Is(err, stream.ErrExpired) {
			t.Errorf("it ended by %v", err)
		}
		if ended := n.streams.Stats().Ended[stream.Expired]; ended != 1 {
			t.Errorf("%d are counted", ended)
		}
	})
}

// TestLifetime: streams end after their time, each at a moment of its own, and are
// told to come back.
func TestLifetime(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{Lifetime: 100 * time.Second}, func(n *node) {
		const clients = 20
		var mu sync.Mutex
		moments := map[time.Duration]bool{}
		var reading sync.WaitGroup
		begin := time.Now()
		for range clients {
			c := n.get("/")
			c.block()
			reading.Go(func() {
				defer c.conn.Close()
				lines := n.goodbye(c)
				mu.Lock()
				defer mu.Unlock()
				took := time.Since(begin)
				moments[took] = true
				n.within("it ended", took, 80, 121)
				if len(lines) != 1 || !strings.HasPrefix(lines[0], "retry: ") {
					t.Errorf("it ended with %q", lines)
				}
			})
		}
		reading.Wait()
		if len(moments) < clients/2 {
			t.Errorf("they ended at %d moments", len(moments))
		}
		if err := <-n.ended; !errors.Is(err, stream.ErrAged) {
			t.Errorf("it ended by %v", err)
		}
	})
}

// TestFirstReasonCounts: of several reasons to end, the one that comes first does.
func TestFirstReasonCounts(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{Lifetime: 1000 * time.Second}, func(n *node) {
		long, short := n.get("/?seconds=10000"), n.get("/?seconds=1")
		defer long.conn.Close()
		defer short.conn.Close()
		long.block()
		short.block()
		var reading sync.WaitGroup
		reading.Go(func() { n.goodbye(short) })
		if err := <-n.ended; !errors.Is(err, stream.ErrExpired) {
			t.Errorf("the short one ended by %v", err)
		}
		reading.Go(func() { n.goodbye(long) })
		if err := n.streams.Close(context.Background(), 10*n.second); err != nil {
			t.Error(err)
		}
		if err := <-n.ended; !errors.Is(err, stream.ErrClosing) {
			t.Errorf("the long one ended by %v", err)
		}
		reading.Wait()
	})
}
