package referee_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// A listener that was stopped goes on behind what it has.
func TestListenerResumes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		from, err := event.ParseCursor(r.Header.Get("Last-Event-ID"))
		if err != nil {
			t.Error(err)
		}
		next := from.Position.MS + 1
		_, _ = fmt.Fprintf(w, "id: %s\nevent: hub.open\ndata: {}\n\n%s%s", at(next-1), show(next, "a", fmt.Sprint(next-2)), gap(next, "a"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l := referee.NewLedger(0)
	for range 3 {
		l.Add("a", 0)
	}
	x, err := referee.NewListener(l, "x", at(1), "a")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if x.Has(n) {
			t.Errorf("it has %d", n)
		}
		x.Resume(c)
		for end := time.Now().Add(20 * time.Second); x.Gaps()[event.StoreLost] != n+1; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d never came", n)
			}
		}
		x.Stop()
		x.Stop() // once more does nothing
		if !x.Has(n) || !x.Has(0) || x.Opens() != n+1 {
			t.Errorf("after %d it has %d events of %d streams", n, x.Events(), x.Opens())
		}
	}
}

// What a listener has, or was told that it cannot have, it has passed.
func TestListenerPasses(t *testing.T) {
	t.Parallel()
	l := referee.NewLedger(0)
	for i, topic := range []event.Topic{"a", "a", "b", "a", "a"} {
		l.Add(topic, i)
		if i < 4 {
			l.Acknowledge(i, at(uint64(i+2)))
		}
	}
	x := play(t, l, "x", show(2, "a", "0")+gap(4, "a"))
	for number, want := range []bool{true, true, false, false, false} {
		if got := x.Passed(number); got != want {
			t.Errorf("passed %d: %t", number, got)
		}
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := referee.NewLedger(0)
		x, err := referee.NewListener(l, "x", at(1), "a")
		if err != nil {
			t.Fatal(err)
		}
		comes := func() {
			number, text := l.Add("a", 0)
			id := at(uint64(number + 2))
			e := client.Event{Envelope: event.Envelope{Topic: "a", ID: id, Data: []byte(`"` + text + `"`)}, Cursor: id}
			if err := x.Handler().Event(e); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(want time.Duration) {
			t.Helper()
			if got := x.Silence(); got != want {
				t.Errorf("silence of %v, want %v", got, want)
			}
		}
		time.Sleep(time.Hour) // nobody watches
		comes()
		x.Watch(true)
		time.Sleep(time.Second)
		comes()
		expect(time.Second)
		time.Sleep(time.Minute)
		x.Stop()
		expect(time.Minute)
		time.Sleep(time.Hour) // it is away
		refused, err := client.New("http://no.hub", client.Options{Transport: away{}})
		if err != nil {
			t.Fatal(err)
		}
		x.Resume(refused)
		time.Sleep(2 * time.Minute)
		comes()
		expect(2 * time.Minute)
		time.Sleep(3 * time.Minute)
		x.Watch(false)
		expect(3 * time.Minute)
		time.Sleep(time.Hour)
		comes()
		expect(3 * time.Minute)
		x.Stop()
	})
}

// away answers no request.
type away struct{}

func (away) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("away") }
