package client_test

import (
	"errors"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
)

// A topic lives until it is ended, by whichever call, and who listens is told.
func TestLives(t *testing.T) {
	t.Parallel()
	c := newClient(t, nodetest.Start(t, nodetest.Options{}).URL, client.Options{})
	last := text("a", "last")
	last.End = event.Failed
	publish(t, c, text("a", "first"), last, text("b", "first"), text("c", "first"))
	ended, err := c.End(t.Context(), "b", event.Completed)
	if err != nil || ended.Topic != "b" || ended.Status != event.Completed || ended.ID == "" {
		t.Errorf("%+v, %v", ended, err)
	}
	for _, before := range []event.Status{"", event.Cancelled} {
		cancelled, err := c.Cancel(t.Context(), "c")
		if err != nil || cancelled.Status != event.Cancelled || (cancelled.ID == "") != (before != "") {
			t.Errorf("%+v, %v", cancelled, err)
		}
	}
	if of, err := c.Cancel(t.Context(), "a"); err != nil || of.Status != event.Failed {
		t.Errorf("cancelled what had failed: %+v, %v", of, err)
	}
	for topic, want := range map[string]event.Status{"a": event.Failed, "b": event.Completed, "c": event.Cancelled} {
		_, err := c.Publish(t.Context(), text(topic, "late"))
		if e, ok := errors.AsType[*event.EndedError](err); !ok || e.Status != want || string(e.Topic) != topic {
			t.Errorf("%s: %v", topic, err)
		}
	}
	l := listen(t, c, client.ListenOptions{Topics: []string{"a", "b", "c"}, All: true})
	<-l.done // by itself
	cursor, err := l.stop()
	if err != nil || len(l.events) != 4 || len(l.ends) != 3 {
		t.Errorf("%d events, %d ends, %v", len(l.events), len(l.ends), err)
	}
	again := listen(t, c, client.ListenOptions{Topics: []string{"a", "b", "c"}, Cursor: cursor})
	<-again.done
	if _, err := again.stop(); err != nil || len(again.events)+len(again.ends) != 0 {
		t.Errorf("behind the ends came %d events, %d ends, %v", len(again.events), len(again.ends), err)
	}
}

// What another node cancels ends a pipe at once, though it has nothing to say.
func TestPipeIsCancelled(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	one, other := nodetest.Start(t, nodetest.Options{Over: bus}), nodetest.Start(t, nodetest.Options{Over: bus})
	c := newClient(t, one.URL, client.Options{})
	messages := make(chan event.Message, 1)
	messages <- text("a", "first")
	piped := make(chan error, 1)
	go func() {
		_, err := c.Pipe(t.Context(), messages, client.PipeOptions{Hold: true, MaxTime: time.Millisecond})
		piped <- err
	}()
	l := listen(t, c, client.ListenOptions{Topics: []string{"a"}, All: true})
	next(t, l.events)
	if _, err := newClient(t, other.URL, client.Options{}).Cancel(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if e, ok := errors.AsType[*event.EndedError](next(t, piped)); !ok || *e != (event.EndedError{Topic: "a", Status: event.Cancelled}) {
		t.Errorf("piped: %v", e)
	}
	if e := next(t, l.ends); e.Status != event.Cancelled || e.Topic != "a" {
		t.Errorf("the end is %+v", e)
	}
}
