package stream_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/hub"
	"tickertape/internal/stream"
)

func TestCloseSpreadsTheClients(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		const clients = 50
		var mu sync.Mutex
		moments, retries := map[time.Duration]bool{}, map[string]bool{}
		var reading sync.WaitGroup
		begin := time.Now()
		for range clients {
			c := n.get("/")
			c.block()
			reading.Go(func() {
				defer c.conn.Close()
				line, _ := c.line()
				for line == ":" {
					line, _ = c.line()
				}
				mu.Lock()
				defer mu.Unlock()
				moments[time.Since(begin)] = true
				retries[line] = true
				if _, err := c.body.ReadByte(); err == nil || !strings.HasPrefix(line, "retry: ") {
					t.Errorf("it ended with %q, then %v; want a retry and an aborted body", line, err)
				}
			})
		}
		if n.streams.Open() != clients {
			t.Errorf("%d streams open", n.streams.Open())
		}
		if err := n.streams.Close(context.Background(), 100*n.second); err != nil {
			t.Error(err)
		}
		reading.Wait()
		n.within("all were gone", time.Since(begin), 25, 100)
		if len(moments) < clients/2 || len(retries) < clients/2 {
			t.Errorf("gone at %d moments, with %d retries", len(moments), len(retries))
		}
		late := n.get("/")
		defer late.conn.Close()
		if line, _ := late.line(); !strings.HasPrefix(line, "retry: ") {
			t.Errorf("who comes later is told %q", line)
		}
		if err := <-n.ended; !errors.Is(err, stream.ErrClosing) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestCloseHandsOutWhatIsThere: what was acknowledged before the streams end
// reaches them.
func TestCloseHandsOutWhatIsThere(t *testing.T) {
	t.Parallel()
	for range 20 {
		start(t, stream.Options{}, func(n *node) {
			c := n.get("/")
			defer c.conn.Close()
			c.block()
			var closing sync.WaitGroup
			const last = 10
			for range last {
				n.publish(strings.Repeat("x", 10_000)) // together more than one piece
			}
			closing.Go(func() {
				if err := n.streams.Close(context.Background(), 0); err != nil {
					t.Error(err)
				}
			})
			for i := range last {
				if line, _ := c.line(); !strings.HasPrefix(line, "id: ") {
					t.Fatalf("in place of event %d came %q", i, line)
				}
				c.block()
			}
			if line, _ := c.line(); !strings.HasPrefix(line, "retry: ") {
				t.Errorf("then came %q", line)
			}
			closing.Wait()
		})
	}
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		c := n.get("/")
		defer c.conn.Close()
		c.block()
		n.stick()
		ctx, cancel := context.WithTimeout(context.Background(), n.second)
		defer cancel()
		if err := n.streams.Close(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFullNodeSendsAwayUntilLater(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{MaxStreams: 1}, func(n *node) {
		c := n.get("/")
		c.block()
		second := n.get("/")
		if line, _ := second.line(); !strings.HasPrefix(line, "retry: ") {
			t.Errorf("got %q", line)
		}
		if _, err := second.body.ReadByte(); err == nil {
			t.Error("the answer goes on")
		}
		if err := <-n.ended; !errors.Is(err, stream.ErrFull) {
			t.Errorf("ended with %v", err)
		}
		second.conn.Close()
		c.conn.Close()
		<-n.ended
		n.until("the place is free", func() bool { return n.streams.Open() == 0 })
		third := n.get("/")
		defer third.conn.Close()
		if opening, _ := third.block(); opening["event"] != hub.OpenEvent {
			t.Errorf("a place is free, but got %v", opening)
		}
	})
}
