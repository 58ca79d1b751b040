package web_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	for path, want := range map[string]string{"/healthz": `{"status":"ok"}`, "/readyz": `{"status":"ready"}`} {
		if a := n.do(t, get(path)); a.status != http.StatusOK || string(a.body) != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	n.Web.Drain()
	a := n.do(t, get("/readyz"))
	expectProblem(t, a, http.StatusServiceUnavailable, "not ready", "draining")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After: %q", a.header.Get("Retry-After"))
	}
	// A node that drains still lives, and still publishes.
	if a := n.do(t, get("/healthz")); a.status != http.StatusOK {
		t.Errorf("/healthz: %d", a.status)
	}
	n.publish(t, "news", "x")
}

// faultyBus fails in a way that is set.
type faultyBus struct {
	*membus.Bus
	err error
}

func (b faultyBus) Publish(context.Context, []event.Message) ([]event.Receipt, error) {
	return nil, b.err
}
func (b faultyBus) Clock(context.Context) (event.Clock, error) { return event.Clock{}, b.err }
func (b faultyBus) Ready() error                               { return b.err }
func (b faultyBus) Topics(context.Context, *event.Selector, event.Topic, int) ([]event.TopicInfo, error) {
	return nil, b.err
}
func (b faultyBus) Topic(_ context.Context, t event.Topic) (event.TopicInfo, bool, error) {
	return event.TopicInfo{Topic: t}, true, b.err
}

// idleServer is a server over the bus whose hub has never run.
func idleServer(t testing.TB, bus hub.Bus, log *slog.Logger) *web.Server {
	t.Helper()
	return idleServerOf(t, bus, web.Options{Log: log})
}

func idleServerOf(t testing.TB, bus hub.Bus, o web.Options) *web.Server {
	t.Helper()
	h := hub.New(bus, hub.Options{})
	s, err := web.New(h, bus, stream.NewServer(h, stream.Options{}), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func serve(s http.Handler, r *http.Request) answer {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

func TestNotReadyBeforeTheBusWasHeard(t *testing.T) {
	t.Parallel()
	s := idleServer(t, membus.New(membus.Options{}), slog.New(slog.DiscardHandler))
	a := serve(s, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	expectProblem(t, a, http.StatusServiceUnavailable, "not ready", "not heard from its bus")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if a := serve(s, httptest.NewRequest(http.MethodGet, "/healthz", nil)); a.status != http.StatusOK {
		t.Errorf("/healthz: %d", a.status)
	}
}

// An answer never passes for a success, says whether the message may be
// stored, and keeps what is nobody's business to itself.
func TestBusFaults(t *testing.T) {
	t.Parallel()
	away := errors.New("the store is away")
	for name, c := range map[string]struct {
		err    error
		status int
		stored string
		retry  string
		logged bool
	}{
		"not stored":   {&event.UnavailableError{RetryAfter: 1500 * time.Millisecond, Err: away}, 503, "no", "2", false},
		"maybe stored": {&event.UnavailableError{MaybeStored: true, RetryAfter: 5 * time.Second, Err: away}, 503, "unknown", "5", false},
		"no advice":    {&event.UnavailableError{Err: away}, 503, "no", "1", false},
		"too late":     {context.DeadlineExceeded, 503, "unknown", "1", false},
		"our fault":    {errors.New("secret"), 500, "unknown", "", true},
	} {
		log := &faults{}
		s := idleServer(t, faultyBus{membus.New(membus.Options{}), c.err}, slog.New(log))
		a := serve(s, httptest.NewRequest(http.MethodPost, "/publish?topic=news", strings.NewReader("hi")))
		if p := expectProblem(t, a, c.status); p.Stored != c.stored || a.header.Get("Retry-After") != c.retry {
			t.Errorf("%s: stored %q, Retry-After %q; want %q, %q", name, p.Stored, a.header.Get("Retry-After"), c.stored, c.retry)
		}
		for _, path := range []string{"/topics", "/topics/news", "/topics/news/messages"} {
			a := serve(s, httptest.NewRequest(http.MethodGet, path, nil))
			if p := expectProblem(t, a, c.status); p.Stored != "" || a.header.Get("Retry-After") != c.retry || strings.Contains(string(a.body), "secret") {
				t.Errorf("%s: %s: %s, Retry-After %q", name, path, a.body, a.header.Get("Retry-After"))
			}
		}
		if logged := strings.Contains(strings.Join(log.all, ";"), "secret"); logged != c.logged {
			t.Errorf("%s: logged %q", name, log.all)
		}
	}
}

// While the store is away, the log grows with time and not with what is sent.
func TestAnOutageIsLoggedNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := idleServer(t, faultyBus{membus.New(membus.Options{}), &event.UnavailableError{Err: errors.New("the store is away")}}, slog.New(slog.NewTextHandler(&log, nil)))
		for range 30 { // three seconds, so three lines
			for range 10 {
				serve(s, httptest.NewRequest(http.MethodPost, "/publish?topic=news", strings.NewReader("hi")))
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := strings.Count(log.String(), "the store is away"); n != 3 || !strings.Contains(log.String(), "others=99") {
			t.Errorf("%d lines:\n%s", n, log.String())
		}
	})
}

func TestPublishOriginsMustBeOrigins(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	h := hub.New(bus, hub.Options{})
	for _, origin := range []string{"", "*", "null", "app.example", "https://", "ftp://app.example", "https://app.example/", "https://app.example/x",
		"https://user@app.example", "https://app.example?x", "https://*.app.example", "https://app.example,https://b"} {
		if _, err := web.New(h, bus, stream.NewServer(h, stream.Options{}), web.Options{PublishOrigins: []string{origin}}); err == nil {
			t.Errorf("%q is taken for an origin", origin)
		}
	}
}
