package redisbus_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// endWith returns the message with an end behind it, or only the end.
func endWith(text string, how event.Status) event.Message {
	if text == "" {
		return event.Message{EndOnly: true, End: how}
	}
	return event.Message{Data: event.Data{Text: text}, End: how}
}

// ended reports whether a message was refused since topic a has ended like this.
func ended(err error, how event.Status) bool {
	why, ok := errors.AsType[*event.EndedError](err)
	return ok && *why == event.EndedError{Topic: "a", Status: how}
}

// TestLostAnswerOfAnEnd swallows the answer to an end until its publisher gives
// up: his next try is answered with what was taken, also on another node.
func TestLostAnswerOfAnEnd(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	bus := openBus(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0"})
	other := openBus(t, redisbus.Options{URL: server.URL})
	sent(t, bus, event.Message{Data: event.Data{Text: "1"}})
	last := endWith("2", event.Completed)
	last.Topic, last.IdempotencyKey = "a", "k"
	proxy.Stall(redistest.Down)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := bus.Publish(ctx, []event.Message{last})
		failed <- err
	}()
	eventually(t, "it is stored", func() bool { return server.Must("XLEN", "tt:{0}:log:a") == "3" })
	cancel()
	if u, ok := errors.AsType[*event.UnavailableError](<-failed); !ok || !u.MaybeStored {
		t.Errorf("the first try ended with %v", u)
	}
	proxy.Resume()
	at := holds(t, other, event.Position{}, "1, 2, end completed", "").Events[2].Cursor()
	for _, b := range []*redisbus.Bus{other, bus} {
		if r := sent(t, b, last)[0]; !r.Duplicate || r.Cursor != at {
			t.Errorf("the next try got %+v, want %+v", r, at)
		}
	}
	last.IdempotencyKey = ""
	if _, err := send(t, bus, last); !ended(err, event.Completed) {
		t.Errorf("a second end: %v", err)
	}
}

// TestEndOverEpochs brings the store back with an end, and without it: then the
// topic goes on, and the loss is told.
func TestEndOverEpochs(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL})
	sent(t, bus, event.Message{Data: event.Data{Text: "1"}})
	server.Save()
	sent(t, bus, endWith("", event.Failed))
	server.Kill()
	server.Restart()
	eventually(t, "the loss is told", func() bool { return server.Must("HEXISTS", "tt:{0}:meta:a", "lost") == "1" })
	if page := holds(t, bus, event.Position{}, "1", "store_lost"); page.End != nil {
		t.Errorf("it has ended with %+v", page.End)
	}
	mine := event.Message{Data: event.Data{Text: "2"}}
	sent(t, bus, mine)

	cursor := sent(t, bus, endWith("3", event.Cancelled))[0].Cursor
	server.Save()
	server.Kill()
	server.Restart()
	eventually(t, "what comes behind the end is refused", func() bool { // the old connection may break first
		_, err := send(t, bus, mine)
		return ended(err, event.Cancelled)
	})
	page := holds(t, bus, event.Position{}, "1, 2, 3, end cancelled", "store_lost")
	if page.End == nil || *page.End != page.Events[3] || page.End.Cursor() != cursor || page.End.Epoch == page.Epoch {
		t.Errorf("the end is %+v, want %+v", page.End, page.Events[3])
	}
	if page = history(t, bus, cursor.Position, end); page.End == nil || len(page.Events)+len(page.Gaps) > 0 {
		t.Errorf("behind the end: %+v", page)
	}
}

// TestSweptTopicLivesAgain waits for all of an ended table with a lease to go, and
// opens it anew.
func TestSweptTopicLivesAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, 5), Retention: event.Retention{Age: event.MinLease}})
	leased := cell("k=1")
	leased.Lease = event.MinLease
	sent(t, bus, leased, cell("k=null"))
	leased.Topic = "a.left"
	sent(t, bus, leased)
	sent(t, bus, endWith("", event.Completed))
	if _, err := send(t, bus, cell("k=2")); !ended(err, event.Completed) {
		t.Errorf("an ended topic: %v", err)
	}
	eventually(t, "both are swept", func() bool { return server.Must("ZCARD", "tt:{0}:topics") == "0" })
	for _, key := range strings.Fields(server.Must("KEYS", "*")) {
		if key != "tt:{0}:clock" && !strings.HasPrefix(key, "tt:{0}:lane:") {
			t.Errorf("Redis still has %s", key)
		}
	}
	sent(t, bus, cell("k=3"))
	if page := holds(t, bus, event.Position{}, "k=3", "expired"); page.End != nil {
		t.Errorf("the end of the old life is still there: %+v", page.End)
	}
}
