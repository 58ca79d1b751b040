package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
)

func TestPublishKeepsWhatWasSaid(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t, nodetest.Options{})
	c := newClient(t, n.URL, client.Options{})
	messages := []event.Message{
		{Topic: "news", Data: event.Data{Text: "a\r\nb\n\rc \u2028<&>\x00\u00e9"}},
		{Topic: "news", Name: "quote", Key: "AAPL", Data: event.Data{JSON: true,
			Text: `{"n":12345678901234567890.10,"e":1.0e400,"s":"<&>"}`}},
		{Topic: "news", Data: event.Data{JSON: true, Text: "[ 1.50,\n -0 ]"}},
		{Topic: "news", Data: event.Data{}},
	}
	receipts, err := c.PublishBatch(t.Context(), messages[:2])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages[2:] {
		r, err := c.Publish(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, r)
	}
	messages[2].Data.Text = "[1.50,-0]" // JSON goes out compact
	now, err := n.Bus.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := n.Bus.History(t.Context(), event.Range{Topic: "news", Upto: now.Position})
	if err != nil || len(stored.Events) != len(messages) {
		t.Fatalf("stored are %+v, %v", stored.Events, err)
	}
	l := listen(t, c, client.ListenOptions{Topics: []string{"news"}, All: true})
	for i, want := range messages {
		if got := stored.Events[i].Data; got != want.Data {
			t.Errorf("stored is %+v, want %+v", got, want.Data)
		}
		e := next(t, l.events)
		name := want.Name
		if name == "" {
			name = event.DefaultName
		}
		if e.Topic != want.Topic || e.Event != name || e.Key != want.Key || data(t, e) != want.Data {
			t.Errorf("event %d is %+v, want %+v", i, e, want)
		}
		if e.ID != receipts[i].ID || receipts[i].Topic != want.Topic || receipts[i].Duplicate {
			t.Errorf("receipt %d is %+v, the event's id %s", i, receipts[i], e.ID)
		}
		if at, err := e.At(); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("event %d has the time %q", i, e.Time)
		}
	}
}

func TestPublishAgainWithKeyDoesNotDouble(t *testing.T) {
	t.Parallel()
	c := newClient(t, nodetest.Start(t, nodetest.Options{}).URL, client.Options{})
	m := text("news", "once")
	m.IdempotencyKey = "k <1>"
	first, err := c.Publish(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Publish(t.Context(), m)
	if err != nil || second.ID != first.ID || !second.Duplicate {
		t.Errorf("got %+v, %v; want the duplicate of %s", second, err, first.ID)
	}
}

func TestPublishSaysWhatTheHubRefused(t *testing.T) {
	t.Parallel()
	small := nodetest.Start(t, nodetest.Options{Bus: membus.Options{MaxBytes: 100}})
	c := newClient(t, nodetest.Start(t, nodetest.Options{}).URL, client.Options{})
	full := newClient(t, small.URL, client.Options{})
	item := 1
	for name, test := range map[string]struct {
		publish func() error
		want    client.Error
		detail  string
	}{
		"topic": {func() error { _, err := c.Publish(t.Context(), text("a b", "x")); return err },
			client.Error{Status: 400}, "topic"},
		"size": {func() error {
			_, err := c.Publish(t.Context(), text("news", strings.Repeat("x", event.MaxData+1)))
			return err
		}, client.Error{Status: 413}, "limit"},
		"item": {func() error {
			_, err := c.PublishBatch(t.Context(), []event.Message{text("news", "x"), text("hub.x", "x")})
			return err
		}, client.Error{Status: 400, Item: &item}, "reserved"},
		"full": {func() error { _, err := full.Publish(t.Context(), text("news", "x")); return err },
			client.Error{Status: 503, Stored: "no", RetryAfter: 5 * time.Second}, "memory"},
	} {
		got, ok := errors.AsType[*client.Error](test.publish())
		if !ok {
			t.Errorf("%s: not a hub's error", name)
			continue
		}
		if got.Status != test.want.Status || got.Stored != test.want.Stored || got.RetryAfter != test.want.RetryAfter ||
			(got.Item == nil) != (test.want.Item == nil) || got.Item != nil && *got.Item != *test.want.Item ||
			!strings.Contains(got.Detail, test.detail) {
			t.Errorf("%s: got %+v", name, got)
		}
		if refused := test.want.Status < 500; got.Refused() != refused || client.Passing(got) == refused {
			t.Errorf("%s: refused %t, passing %t", name, got.Refused(), client.Passing(got))
		}
		if !strings.Contains(got.Error(), got.Detail) || got.Item != nil && !strings.Contains(got.Error(), "message 1") {
			t.Errorf("%s: the text %q does not say it", name, got)
		}
	}
}

func TestPublishRefusesWhatJSONCannotSay(t *testing.T) {
	t.Parallel()
	c := newClient(t, nodetest.Start(t, nodetest.Options{}).URL, client.Options{})
	for _, m := range []event.Message{
		text("news", "\xff"),
		{Topic: "news", Key: "\xff", Data: event.Data{Text: "x"}},
		{Topic: "news", Data: event.Data{JSON: true, Text: "{"}},
		{Topic: "news", Data: event.Data{JSON: true, Text: `1,"topic":"other"`}},
		{Topic: "news", Data: event.Data{JSON: true}},
	} {
		_, err := c.Publish(t.Context(), m)
		if _, ok := errors.AsType[*event.InvalidError](err); !ok {
			t.Errorf("%q: got %v", m.Data.Text, err)
		}
		_, err = c.PublishBatch(t.Context(), []event.Message{text("news", "fine"), m})
		if item, ok := errors.AsType[*event.ItemError](err); !ok || item.Index != 1 {
			t.Errorf("%q in a batch: got %v", m.Data.Text, err)
		}
	}
}

func TestPublishToWhatIsNoHub(t *testing.T) {
	t.Parallel()
	answers := map[string]http.HandlerFunc{
		"/gone": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"/short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"topic":"news"`)
		},
		"/page":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hello") },
		"/empty": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") },
		"/proxy": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			http.Error(w, "<html>bad gateway", http.StatusBadGateway)
		},
		"/slow": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else its end is not noticed
			<-r.Context().Done()
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[strings.TrimSuffix(r.URL.Path, "/publish")](w, r)
	}))
	defer server.Close()
	for path, passing := range map[string]bool{"/gone": true, "/short": true, "/page": false, "/empty": false, "/proxy": true, "/slow": true} {
		c := newClient(t, server.URL+path, client.Options{Timeout: 500 * time.Millisecond})
		_, err := c.Publish(t.Context(), text("news", "x"))
		if err == nil || client.Passing(err) != passing {
			t.Errorf("%s: got %v, passing: %t", path, err, client.Passing(err))
		}
		if e, ok := errors.AsType[*client.Error](err); path == "/proxy" && (!ok || e.Status != 502 || e.RetryAfter != 7*time.Second) {
			t.Errorf("%s: got %+v", path, err)
		}
		if path == "/slow" && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v", path, err)
		}
		if _, err := c.PublishBatch(t.Context(), []event.Message{text("news", "x")}); err == nil {
			t.Errorf("%s: a batch was taken", path)
		}
	}
}

func TestPublishWithoutHubIsPassing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	c := newClient(t, "http://"+listener.Addr().String(), client.Options{})
	if _, err := c.Publish(t.Context(), text("news", "x")); !client.Passing(err) {
		t.Errorf("got %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Publish(cancelled, text("news", "x")); client.Passing(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:8080", "127.0.0.1:8080", "ftp://host", "http://", "http://host?x=1", "http://host#x", "http://a b"} {
		if _, err := client.New(url, client.Options{}); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
}
