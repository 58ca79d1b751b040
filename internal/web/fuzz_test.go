package web_test

import (
	"encoding/json"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

// freshBus is an empty bus for each request.
type freshBus struct{ *membus.Bus }

// FuzzPublish: any request is answered with 200, and then exactly the
// messages of its receipts are stored, or with a 4xx, and then nothing is.
func FuzzPublish(f *testing.F) {
	for _, body := range []string{`{"data":"x"}`, `[{"data":1},{"data":"\u0000\r\n","event":"e"}]`, `{"topic":"a.b","key":"k","data":{"a":[1.0]}}`,
		`[{"data":1,"idempotency_key":"k"},{"data":1,"idempotency_key":"k"}]`, `[{"data":1,"idempotency_key":"k"},{"data":2,"idempotency_key":"k"}]`,
		`[{"data":1},{"data":null}]`, `[]`, `[[]]`, `{"data":"\ud800"}`, `{"data":1,"data":2}`, `{"data":1}x`, "", "\xff", "hi", "\ufeff[1]", `{"event":"hub.x","data":1}`} {
		for _, media := range []string{jsonType, "text/plain"} {
			f.Add([]byte(body), media, "news", "", "", "")
		}
	}
	f.Add([]byte("a=1"), "application/x-www-form-urlencoded", "a", "e", "k", "once")
	f.Add([]byte(`{"data":1}`), "", "", "", "", "")
	f.Add([]byte("x"), "text/plain; charset=latin1", "a", "open", "\n", "\x00")
	bus := &freshBus{}
	log := &faults{}
	handler := idleServer(f, bus, slog.New(log))
	f.Fuzz(func(t *testing.T, body []byte, media, topic, name, key, once string) {
		if kind, _, _ := mime.ParseMediaType(media); kind == ndjsonType || kind == sseType {
			return // they may be taken in part: FuzzNDJSON, FuzzSSEIn
		}
		bus.Bus = membus.New(membus.Options{})
		query := url.Values{"topic": {topic}, "event": {name}, "key": {key}}
		r := httptest.NewRequest(http.MethodPost, "/publish?"+query.Encode(), strings.NewReader(string(body)))
		r.Header.Set("Content-Type", media)
		if once != "" {
			r.Header.Set("Idempotency-Key", once)
		}
		a := serve(handler, r)
		stored := storedIn(t, bus.Bus)
		if len(log.all) > 0 {
			t.Fatalf("logged %q", log.all)
		}
		if a.status != http.StatusOK {
			if a.status < 400 || a.status > 499 || len(stored) > 0 {
				t.Fatalf("answered %d, stored %v", a.status, stored)
			}
			expectProblem(t, a, a.status)
			return
		}
		expectReceipts(t, a, stored)
		batch := event.IsArray(body) && strings.HasPrefix(strings.ToLower(strings.TrimSpace(media)), jsonType)
		if strings.HasPrefix(string(a.body), `{"results":`) != batch {
			t.Fatalf("%q is answered %s", body, a.body)
		}
	})
}

func expectReceipts(t *testing.T, a answer, stored []event.Event) {
	t.Helper()
	var got struct {
		receipt
		Results []receipt
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	if got.Results == nil {
		got.Results = []receipt{got.receipt}
	}
	var ids, want []string
	for _, r := range got.Results {
		if id := r.Topic + " " + r.ID; !r.Duplicate {
			ids = append(ids, id)
		} else if !slices.Contains(ids, id) {
			t.Fatalf("%s: a duplicate of nothing", a.body)
		}
	}
	for _, e := range stored {
		want = append(want, string(e.Topic)+" "+e.Cursor().String())
	}
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Fatalf("answered %s, stored %q", a.body, want)
	}
}

// patientRecorder is a recorder that takes deadlines, as a connection does.
type patientRecorder struct{ *httptest.ResponseRecorder }

func (patientRecorder) SetWriteDeadline(time.Time) error { return nil }

// FuzzEvents: no start, cursor or query makes a stream fail: it is a 4xx or,
// on a hub that has not run, the advice to come back.
func FuzzEvents(f *testing.F) {
	for _, query := range []string{"topic=a", "topic=a&topic=b&since=all", "topic=a&last=5", "topic=a&since=10m&envelope=true&heartbeat=event",
		"topic=a&lastEventId=x", "topic=%zz", "topic=hub", "", "topic=a;b", "since=all&last=1&topic=a", "topic=a&envelope=1"} {
		f.Add(query, "")
		f.Add(query, "1763820000000-0")
	}
	log := &faults{}
	var bus hub.Bus = membus.New(membus.Options{})
	handler := idleServer(f, bus, slog.New(log))
	f.Fuzz(func(t *testing.T, query, cursor string) {
		r := httptest.NewRequest(http.MethodGet, "/events", nil)
		r.URL.RawQuery = query
		r.Header.Set("Last-Event-ID", cursor)
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if p := recover(); p != nil && p != http.ErrAbortHandler {
					panic(p)
				}
			}()
			handler.ServeHTTP(patientRecorder{w}, r)
		}()
		if len(log.all) > 0 {
			t.Fatalf("logged %q", log.all)
		}
		if w.Code != http.StatusOK {
			if w.Code != http.StatusBadRequest {
				t.Fatalf("answered %d", w.Code)
			}
			expectProblem(t, answer{w.Code, w.Header(), w.Body.Bytes()}, w.Code)
			return
		}
		if text := w.Body.String(); !strings.HasPrefix(text, "retry: ") || strings.Count(text, "\n") != 1 || w.Header().Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%q is answered %q", query, text)
		}
	})
}
