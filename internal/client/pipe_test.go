package client_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/nodetest"
)

// numbers sends the texts of 0 to n-1 to a topic, and closes the channel.
func numbers(ctx context.Context, topic string, n int) <-chan event.Message {
	messages := make(chan event.Message)
	go func() {
		defer close(messages)
		for i := range n {
			select {
			case messages <- text(topic, fmt.Sprint(i)):
			case <-ctx.Done():
				return
			}
		}
	}()
	return messages
}

// wantStored checks that a topic holds the numbers from 0 to n-1, each once
// and in order.
func wantStored(t *testing.T, n *nodetest.Node, topic event.Topic, count int) {
	t.Helper()
	clock, err := n.Bus.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page, err := n.Bus.History(t.Context(), event.Range{Topic: topic, Upto: clock.Position})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range page.Events {
		if e.Data.Text != fmt.Sprint(i) {
			t.Fatalf("event %d is %q", i, e.Data.Text)
		}
	}
	if len(page.Events) != count {
		t.Fatalf("%d events are stored, want %d", len(page.Events), count)
	}
}

func TestPipe(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t, nodetest.Options{})
	c := newClient(t, n.URL, client.Options{})
	var told int64
	tally, err := c.Pipe(t.Context(), numbers(t.Context(), "t", 3500), client.PipeOptions{Progress: func(p client.Tally, _ error, _ time.Duration) { told = p.Accepted }})
	if err != nil || tally.Accepted != 3500 || told != 3500 || tally.LastID == "" {
		t.Errorf("%+v, %v, told %d", tally, err, told)
	}
	wantStored(t, n, "t", 3500)
}
