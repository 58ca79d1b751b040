package stream_test

import (
	"context"
	"io"
	"testing"
	"time"

	"tickertape/internal/stream"
)

// What is done about streams that have ended may take its time: the others are
// served meanwhile, and Close waits for it.
func TestEndsHoldUpNobody(t *testing.T) {
	t.Parallel()
	startLoop(t, stream.Options{}, func(n *node) {
		const leaving, staying = 20, 8
		n.hold.Lock()
		for range leaving {
			c := n.get("/")
			c.block()
			_ = c.conn.Close()
		}
		var others []*client
		for range staying {
			c := n.get("/")
			defer c.conn.Close()
			_ = c.conn.SetDeadline(time.Now().Add(patience))
			c.block()
			others = append(others, c)
		}
		n.publish("still here")
		for _, c := range others {
			if fields, _ := c.block(); fields["data"] != "still here" {
				t.Errorf("got %q", fields)
			}
		}
		closed := make(chan error)
		go func() { closed <- n.streams.Close(context.Background(), 0) }()
		for _, c := range others {
			_, _ = io.Copy(io.Discard, c.body)
		}
		select {
		case <-closed:
			t.Error("it has closed, though the ends were not told")
		default:
		}
		n.hold.Unlock()
		if err := <-closed; err != nil || len(n.ended) != leaving+staying {
			t.Errorf("%d ends were told when it had closed; %v", len(n.ended), err)
		}
	})
}

// The ends of those that Close has cut off are told too before it returns.
func TestCloseTellsWhomItCuts(t *testing.T) {
	t.Parallel()
	startLoop(t, stream.Options{}, func(n *node) {
		const streams = 20
		for range streams {
			c := n.get("/")
			defer c.conn.Close()
			c.block()
		}
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		if err := n.streams.Close(gone, time.Hour); err == nil || len(n.ended) != streams {
			t.Errorf("%d ends were told when it had closed; %v", len(n.ended), err)
		}
	})
}
