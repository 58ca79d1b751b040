//go:build unix

package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/redistest"
)

// Behind a balancer, a publisher goes on while one node ends in order and
// another is killed: each message is stored once and in its place.
func TestPipeOutlivesNodes(t *testing.T) {
	t.Parallel()
	const count = 1500
	redis := "HUB_REDIS=" + redistest.Start(t).URL
	var nodes [3]*process
	var addrs []string
	for i := range nodes {
		nodes[i] = startProcess(t, "", redis, "HUB_DRAIN_WAIT=1s", "HUB_DRAIN_WINDOW=1s")
		addrs = append(addrs, strings.TrimPrefix(nodes[i].url, "http://"))
	}
	c, err := client.New(startHAProxy(t, addrs...), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	messages := make(chan event.Message)
	go func() {
		defer close(messages)
		for i := range count {
			switch i {
			case count / 3:
				_ = nodes[0].cmd.Process.Signal(syscall.SIGTERM)
			case count * 2 / 3:
				_ = nodes[1].cmd.Process.Kill()
			}
			select {
			case messages <- event.Message{Topic: "news", Data: event.Data{Text: fmt.Sprint(i)}}:
				time.Sleep(time.Millisecond) // requests end by their time, too
			case <-ctx.Done():
				return
			}
		}
	}()
	tally, err := c.Pipe(ctx, messages, client.PipeOptions{MaxTime: 200 * time.Millisecond})
	if err != nil || tally.Accepted != count {
		t.Fatalf("%+v, %v", tally, err)
	}
	if status := nodes[0].exit(); status != 0 || !strings.Contains(nodes[0].log.String(), inOrder) {
		t.Errorf("the exit status of the node that was told to end is %d", status)
	}
	status, body := nodes[2].get(fmt.Sprintf("/topics/news/messages?since=all&limit=%d", 1000))
	first := decodePage(t, status, body)
	status, body = nodes[2].get(fmt.Sprintf("/topics/news/messages?limit=1000&since=%s", first.Next))
	stored := append(first.Messages, decodePage(t, status, body).Messages...)
	for i, m := range stored {
		if m.Data != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, m.Data)
		}
	}
	if len(stored) != count {
		t.Errorf("%d messages are stored, want %d", len(stored), count)
	}
}

// page is a page of a topic's history.
type page struct {
	Messages []struct{ Data string }
	Next     string
}

func decodePage(t *testing.T, status int, body string) (p page) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusOK {
		t.Fatalf("history: %d %v %.200s", status, err, body)
	}
	return p
}
