package client_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/client"
)

func TestListenEndsInOrderAt204(t *testing.T) {
	t.Parallel()
	p := play(t, nil, pieces(0, open1, event2))
	if p.err != nil || p.cursor != "c2" || len(p.events) != 1 || len(p.times) != 2 {
		t.Errorf("ended with %v at %q after %d events", p.err, p.cursor, len(p.events))
	}
}

func TestListenTakesCursorOfOpening(t *testing.T) {
	t.Parallel()
	p := play(t, nil,
		pieces(0, open1),                      // cut before the first event
		pieces(0, open1, event2, event3[:40]), // cut within an event
		pieces(0, "retry: 2000\n"),            // sent away
		pieces(0, open1[:len(open1)-1]),       // cut within the first block
		pieces(0, "id: c9\nevent: hub.cursor\ndata: {}\n\n", "hang"),
	)
	if want := []string{"", "c1", "c2", "c2", "c2", "c9"}; !slices.Equal(p.cursors, want) {
		t.Errorf("came with the cursors %q, want %q", p.cursors, want)
	}
	if p.err != nil || len(p.events) != 1 {
		t.Errorf("ended with %v after %d events", p.err, len(p.events))
	}
}

func TestListenWaitsAsTold(t *testing.T) {
	t.Parallel()
	p := play(t, nil,
		status(-1), // nothing known yet: from 3 s on
		pieces(0, open1),
		pieces(0, open1, "retry: 700\n"),
		status(http.StatusTooManyRequests, "Retry-After", "50"),
		status(http.StatusServiceUnavailable),
		pieces(0, "retry: 1000\n"),
		pieces(0, "retry: 0\nid: c1\nevent: hub.open\ndata: {}\n\n"),
	)
	waits := p.waits()
	bounds := []struct{ least, most time.Duration }{
		{3 * time.Second, 6 * time.Second},
		{2 * time.Second, 2 * time.Second},
		{700 * time.Millisecond, 700 * time.Millisecond},
		{50 * time.Second, 50 * time.Second},
		{700 * time.Millisecond, 2800 * time.Millisecond},
		{time.Second, 8 * time.Second},
		{time.Second, time.Second},
	}
	if p.err != nil || len(waits) != len(bounds) {
		t.Fatalf("ended with %v after the waits %v", p.err, waits)
	}
	for i, b := range bounds {
		if waits[i] < b.least || waits[i] > b.most {
			t.Errorf("wait %d is %v, want %v to %v", i, waits[i], b.least, b.most)
		}
		if paused := p.times[i+1].Sub(p.times[i]); paused != waits[i] {
			t.Errorf("attempt %d came after %v, told were %v", i+1, paused, waits[i])
		}
	}
}

func TestListenWaitsLongerWhileAttemptsFail(t *testing.T) {
	t.Parallel()
	const attempts = 12
	var sum time.Duration
	const runs = 20
	seen := map[time.Duration]bool{}
	for range runs {
		p := play(t, nil, slices.Repeat([]answer{status(-1)}, attempts)...)
		waits := p.waits()
		for i, wait := range waits {
			if most := min(30*time.Second, 3*time.Second<<(i+1)); wait < 3*time.Second || wait > most {
				t.Errorf("wait %d is %v, want 3s to %v", i, wait, most)
			}
			if !errors.Is(p.states[i].Err, errRefused) || strings.Contains(p.states[i].Err.Error(), "topic=") {
				t.Errorf("told was %v", p.states[i].Err)
			}
		}
		last := waits[attempts-1]
		sum += last
		seen[last] = true
	}
	if mean := sum / runs; mean < 10*time.Second || len(seen) < runs/2 {
		t.Errorf("after %d failures the wait is %v on average, with %d different ones", attempts, mean, len(seen))
	}
}

func TestListenLeavesSilentConnections(t *testing.T) {
	t.Parallel()
	p := play(t, nil,
		pieces(18*time.Second, open1, ":\n", ":\n", ":\n", event2, ":\n", "hang"),
		status(0), // no answer at all
		pieces(44*time.Second, open1, event3, ":\n"),
	)
	if p.err != nil || p.cursor != "c3" || len(p.events) != 2 {
		t.Fatalf("ended with %v at %q after %d events", p.err, p.cursor, len(p.events))
	}
	waits := p.waits()
	lasted := func(i int) time.Duration { return p.times[i+1].Sub(p.times[i]) - waits[i] }
	for i, want := range []time.Duration{(6*18 + 45) * time.Second, 45 * time.Second, 3 * 44 * time.Second} {
		if got := lasted(i); got != want {
			t.Errorf("connection %d lasted %v, want %v", i, got, want)
		}
	}
	var dead int
	for _, s := range p.states {
		if s.Err != nil && strings.Contains(s.Err.Error(), "nothing came for 45s") {
			dead++
		}
	}
	if dead != 2 {
		t.Errorf("%d connections were told to be dead, want 2", dead)
	}
}

func TestListenGivesHandlersTheirTime(t *testing.T) {
	t.Parallel()
	slow := func(client.Event) error { time.Sleep(10 * time.Minute); return nil }
	p := play(t, slow, pieces(0, open1, event2, event3))
	if p.err != nil || len(p.times) != 2 || len(p.events) != 2 {
		t.Errorf("ended with %v after %d connections and %d events", p.err, len(p.times), len(p.events))
	}
	if e := p.events[1]; string(e.Data) != "null" || e.Cursor != "c3" || e.ID != "e3" {
		t.Errorf("got %+v", e)
	}
}

func TestListenComesBackAfterWhatPasses(t *testing.T) {
	t.Parallel()
	passing := []answer{status(-1), status(500), status(502), status(503), status(504), status(408), status(429),
		status(200, "Content-Type", "text/html"), status(200), status(200, "Content-Type", "text/event-stream")}
	if p := play(t, nil, passing...); p.err != nil || len(p.times) != len(passing)+1 {
		t.Errorf("ended with %v after %d attempts", p.err, len(p.times))
	}
	for _, code := range []int{400, 401, 403, 404, 405, 409, 413, 304, 202} {
		p := play(t, nil, pieces(0, open1), status(code))
		if e, ok := errors.AsType[*client.Error](p.err); !ok || e.Status != code || p.cursor != "c1" {
			t.Errorf("%d: ended with %v", code, p.err)
		}
	}
}

func TestListenEndsAtWhatNoHubSends(t *testing.T) {
	t.Parallel()
	for _, block := range []string{
		"id: c2\ndata: hello\n\n",
		"id: c2\ndata: {\"choices\":[]}\n\n",
		"id: c2\ndata: {\"topic\":\"news\"}\n\n",
		"id: c2\nevent: hub.gap\ndata: nothing\n\n",
		"id: c2\nevent: hub.open\ndata: []\n\n",
		"data: " + strings.Repeat("x", 5<<20) + "\n\n",
	} {
		p := play(t, nil, pieces(0, open1, block))
		if p.err == nil || len(p.times) != 1 || len(p.events) != 0 || p.cursor != "c1" {
			t.Errorf("%.30q: ended with %v at %q", block, p.err, p.cursor)
		}
	}
	p := play(t, nil, pieces(0, open1, "id: c2\nevent: hub.later\ndata: whatever\n\n"))
	if p.err != nil || p.cursor != "c2" {
		t.Errorf("an unknown event of the hub's own: ended with %v at %q", p.err, p.cursor)
	}
}

func TestListenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]answer{
		"reading": {pieces(0, open1, "hang")},
		"waiting": {status(503, "Retry-After", "3600")},
		"asking":  {status(0)},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{answers: answers}
			c, err := client.New("http://hub.test", client.Options{Transport: s})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			began := time.Now()
			_, err = c.Listen(ctx, client.ListenOptions{Topics: []string{"news"}}, client.Handler{})
			if lasted := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || lasted != 10*time.Second {
				t.Errorf("%s: ended with %v after %v", name, err, lasted)
			}
		})
	}
}
