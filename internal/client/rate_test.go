package client_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"tickertape/internal/auth"
	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// slowFor starts a node, and returns it with a client who may publish so fast.
func slowFor(t *testing.T, rate float64, o client.Options) (*nodetest.Node, *client.Client) {
	t.Helper()
	key, hash := auth.NewAPIKey()
	all, err := event.ParseSelector("**")
	if err != nil {
		t.Fatal(err)
	}
	a, err := auth.New(auth.Policy{APIKeys: []auth.APIKey{{Name: "job", Hash: hash, Rights: auth.Rights{auth.Publish: {all}}, PublishRate: rate}}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	n := nodetest.Start(t, nodetest.Options{Stream: hasty, Web: web.Options{Authority: a}})
	o.Credential = func() (string, error) { return key, nil }
	return n, newClient(t, n.URL, o)
}

// TestPipeIsSlowed: a Pipe that is faster than it may be publishes all in order, and
// nothing of it counts twice, whether it waits for its hub or is told to come back.
func TestPipeIsSlowed(t *testing.T) {
	t.Parallel()
	const fit, more = 50, 12
	for name, timeout := range map[string]time.Duration{"in its time": time.Minute, "in more than its time": 2 * time.Second} {
		n, c := slowFor(t, fit/10, client.Options{Timeout: timeout})
		messages := make(chan event.Message, fit+more)
		for i := range fit + more {
			messages <- text("a", fmt.Sprint(i))
		}
		close(messages)
		begin, told := time.Now(), 0
		tally, err := c.Pipe(t.Context(), messages, client.PipeOptions{Patience: time.Minute, Progress: func(_ client.Tally, err error, wait time.Duration) {
			if err == nil {
				return
			}
			told++
			if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusTooManyRequests || wait < e.RetryAfter {
				t.Errorf("%s: it waits %v for %v", name, wait, err)
			}
		}})
		took := time.Since(begin)
		if err != nil || tally.Accepted != fit+more || took < more*time.Second/(fit/10)-time.Second || took > 10*time.Second {
			t.Errorf("%s: %+v, %v after %v", name, tally, err, took)
		}
		if (told > 0) != (timeout < time.Minute) {
			t.Errorf("%s: it was told %d times to come back", name, told)
		}
		page, err := n.Bus.History(t.Context(), event.Range{Topic: "a", Upto: event.Position{MS: 1 << 47}})
		if err != nil || len(page.Events) != fit+more {
			t.Errorf("%s: there are %d events, %v", name, len(page.Events), err)
		}
		stats := n.Web.PublishStats().Messages
		if again := stats[web.Messages{Body: web.BodyNDJSON, Outcome: web.Duplicate}]; again > 0 {
			t.Errorf("%s: %d were sent again", name, again)
		}
	}
}

// TestPublishIsLimited: the error says when to try again, and that nothing is stored.
func TestPublishIsLimited(t *testing.T) {
	t.Parallel()
	_, c := slowFor(t, 0.1, client.Options{})
	if _, err := c.Publish(t.Context(), text("a", "1")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Publish(t.Context(), text("a", "2"))
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusTooManyRequests || e.RetryAfter < 5*time.Second || e.Stored != "no" || !client.Passing(err) {
		t.Errorf("got %+v", e)
	}
}
