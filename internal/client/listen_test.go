package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
)

// hasty nodes send their clients back at once.
var hasty = stream.Options{Retry: 10 * time.Millisecond}

func TestListenGetsEveryEventOnceInOrderOverCuts(t *testing.T) {
	t.Parallel()
	const rounds, burst = 20, 50
	n := nodetest.Start(t, nodetest.Options{Stream: hasty})
	c := newClient(t, n.URL, client.Options{})
	l := listen(t, c, client.ListenOptions{Topics: []string{"a", "b"}})
	l.connected(t)

	bursts := make(chan int)
	var publishing sync.WaitGroup
	publishing.Go(func() {
		p := newClient(t, n.URL, client.Options{})
		for round := range bursts {
			for i := range burst {
				publishThroughCuts(t, p, round*burst+i)
			}
		}
	})
	for round := range rounds {
		bursts <- round // what follows a cut can come only on a new connection
		l.wantNumbers(t, round*burst, burst/2)
		n.Cut()
		l.wantNumbers(t, round*burst+burst/2, burst/2)
	}
	close(bursts)
	publishing.Wait()
	cursor, err := l.stop()
	if !errors.Is(err, context.Canceled) || cursor == "" || len(l.events) > 0 || len(l.gaps) > 0 {
		t.Errorf("ended with %v at %q, %d events and %d gaps left", err, cursor, len(l.events), len(l.gaps))
	}
	resumes := 0
	for len(l.states) > 0 {
		if s := <-l.states; s.Resumed {
			resumes++
		}
	}
	if resumes < rounds-1 {
		t.Errorf("the stream was resumed %d times, so the cuts did not meet it", resumes)
	}
}

// publishThroughCuts publishes a number to one of two topics, again and again
// until it has an answer.
func publishThroughCuts(t *testing.T, c *client.Client, i int) {
	m := text([]string{"a", "b"}[i%2], fmt.Sprint(i))
	m.IdempotencyKey = m.Data.Text
	for {
		_, err := c.Publish(t.Context(), m)
		if err == nil {
			return
		}
		if !client.Passing(err) {
			t.Errorf("publish: %v", err)
			return
		}
	}
}

func TestListenGoesOnWithReplayOverCuts(t *testing.T) {
	t.Parallel()
	const total, batch, last = 3 * 999, 999, 700
	n := nodetest.Start(t, nodetest.Options{Stream: hasty})
	c := newClient(t, n.URL, client.Options{})
	for first := 0; first < total; first += batch {
		messages := make([]event.Message, batch)
		for i := range messages {
			messages[i] = text([]string{"a", "b", "c"}[i%3], fmt.Sprint(first+i))
		}
		if _, err := c.PublishBatch(t.Context(), messages); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	_, err := c.Listen(t.Context(), client.ListenOptions{Topics: []string{"a", "b", "c"}, Last: last}, client.Handler{
		Event: func(e client.Event) error {
			want := total - 3*last + got
			if d := data(t, e); d.Text != fmt.Sprint(want) {
				return fmt.Errorf("got %s, want %d", d.Text, want)
			}
			if got++; got%200 == 0 {
				n.Cut()
			}
			if got == 3*last {
				return errEnough
			}
			return nil
		},
		Gap: func(g client.Gap) error { return fmt.Errorf("gap %+v", g) },
	})
	if !errors.Is(err, errEnough) {
		t.Error(err)
	}
}

var errEnough = errors.New("enough")

func TestListenStartsWhereItIsTold(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t, nodetest.Options{Stream: hasty})
	c := newClient(t, n.URL, client.Options{})
	publish(t, c, text("news", "0"), text("news", "1"), text("news", "2"))
	topics := []string{"news"}
	all := listen(t, c, client.ListenOptions{Topics: topics, All: true})
	first := next(t, all.events)
	streams := []*listening{
		listen(t, c, client.ListenOptions{Topics: topics}),
		listen(t, c, client.ListenOptions{Topics: topics, Last: 1}),
		listen(t, c, client.ListenOptions{Topics: topics, Cursor: first.Cursor, All: true}),
		listen(t, c, client.ListenOptions{Topics: topics, Since: time.Hour}),
	}
	for _, l := range streams {
		l.connected(t)
	}
	publish(t, c, text("news", "3"))
	for i, from := range []int{3, 2, 1, 0} {
		streams[i].wantNumbers(t, from, 4-from)
	}
	// What one call of Listen ended with, the next one goes on from.
	cursor, _ := streams[0].stop()
	publish(t, c, text("news", "4"))
	listen(t, c, client.ListenOptions{Topics: topics, Cursor: cursor}).wantNumbers(t, 4, 1)
}

func TestListenHearsOfGapAfterRestart(t *testing.T) {
	t.Parallel()
	first := nodetest.Start(t, nodetest.Options{Stream: hasty})
	c := newClient(t, first.URL, client.Options{})
	l := listen(t, c, client.ListenOptions{Topics: []string{"news"}})
	l.connected(t)
	publish(t, c, text("news", "0"))
	last := next(t, l.events)
	first.Stop()
	nodetest.Start(t, nodetest.Options{Addr: first.Addr, Stream: hasty})
	l.connected(t)
	gap := next(t, l.gaps)
	if gap.Topic != "news" || gap.Reason != event.StoreLost || gap.After != last.ID || gap.ResumedAt == "" || gap.ResumedAt == gap.After {
		t.Errorf("got %+v", gap)
	}
	publish(t, c, text("news", "1"))
	l.wantNumbers(t, 1, 1)
	if len(l.gaps) > 0 {
		t.Errorf("another gap: %+v", next(t, l.gaps))
	}
}

func TestListenHearsOfGapWithoutCursor(t *testing.T) {
	t.Parallel()
	c := newClient(t, nodetest.Start(t, nodetest.Options{}).URL, client.Options{})
	l := listen(t, c, client.ListenOptions{Topics: []string{"news"}, Cursor: "not-a-cursor"})
	if gap := next(t, l.gaps); gap.Reason != event.BadCursor || gap.After != "" || gap.Topic != "news" {
		t.Errorf("got %+v", gap)
	}
	if cursor, _ := l.stop(); cursor == "not-a-cursor" || cursor == "" {
		t.Errorf("the cursor is %q, not the stream's", cursor)
	}
}

func TestListenEndsWhenRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t, nodetest.Start(t, nodetest.Options{}).URL, client.Options{})
	for _, o := range []client.ListenOptions{{}, {Topics: []string{"a b"}}, {Topics: []string{"news"}, Last: -1}} {
		l := listen(t, c, o)
		<-l.done
		cursor, err := l.stop()
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != 400 || e.Detail == "" || cursor != "" {
			t.Errorf("%+v: ended with %v", o, err)
		}
	}
	_, err := c.Listen(t.Context(), client.ListenOptions{Topics: []string{"news"}, Cursor: "a\nb"}, client.Handler{})
	if _, ok := errors.AsType[*event.InvalidError](err); !ok {
		t.Errorf("a cursor of two lines: %v", err)
	}
}

func TestListenEndsWithHandlersError(t *testing.T) {
	t.Parallel()
	c := newClient(t, nodetest.Start(t, nodetest.Options{}).URL, client.Options{})
	publish(t, c, text("news", "0"), text("news", "1"), text("news", "2"))
	var first client.Event
	cursor, err := c.Listen(t.Context(), client.ListenOptions{Topics: []string{"news"}, All: true}, client.Handler{
		Event: func(e client.Event) error {
			if data(t, e).Text == "1" {
				return errEnough
			}
			first = e
			return nil
		}})
	if !errors.Is(err, errEnough) || cursor != first.Cursor {
		t.Errorf("ended with %v at %s, want %s", err, cursor, first.Cursor)
	}
	// What the handler did not take comes again.
	listen(t, c, client.ListenOptions{Topics: []string{"news"}, Cursor: cursor}).wantNumbers(t, 1, 2)

	_, err = c.Listen(t.Context(), client.ListenOptions{Topics: []string{"news"}, Cursor: "bad"}, client.Handler{
		Gap: func(client.Gap) error { return errEnough }})
	if !errors.Is(err, errEnough) {
		t.Errorf("a gap's handler: ended with %v", err)
	}
}

func TestListenHandsOnNothingOnceCancelled(t *testing.T) {
	t.Parallel()
	c := newClient(t, nodetest.Start(t, nodetest.Options{}).URL, client.Options{})
	publish(t, c, text("news", "0"), text("news", "1"), text("news", "2"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var taken []client.Event
	cursor, err := c.Listen(ctx, client.ListenOptions{Topics: []string{"news"}, All: true}, client.Handler{
		Event: func(e client.Event) error {
			taken = append(taken, e)
			cancel()
			return nil
		}})
	if !errors.Is(err, context.Canceled) || len(taken) != 1 || cursor != taken[0].Cursor {
		t.Errorf("ended with %v at %q after %d events", err, cursor, len(taken))
	}
}
