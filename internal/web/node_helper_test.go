package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
)

// faults is a log in which only errors count.
type faults struct {
	mu  sync.Mutex
	all []string
}

func (f *faults) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (f *faults) WithAttrs([]slog.Attr) slog.Handler           { return f }
func (f *faults) WithGroup(string) slog.Handler                { return f }

func (f *faults) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, text)
	return nil
}

// node is a running node of which no request may bring out a fault.
type node struct {
	*nodetest.Node
	client *http.Client
}

func startNode(t *testing.T, o nodetest.Options) *node {
	t.Helper()
	log := &faults{}
	o.Web.Log = slog.New(log)
	transport := &http.Transport{DisableCompression: true}
	n := &node{nodetest.Start(t, o), &http.Client{Transport: transport, Timeout: patience}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		n.Stop()
		log.mu.Lock()
		defer log.mu.Unlock()
		if len(log.all) > 0 {
			t.Errorf("the node logged errors: %q", log.all)
		}
	})
	return n
}

// onWriters runs a test for each writer of streams that this system has.
func onWriters(t *testing.T, test func(*testing.T, nodetest.Options)) {
	t.Parallel()
	for _, w := range nodetest.Writers() {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			test(t, nodetest.Options{Stream: stream.Options{Writer: w}})
		})
	}
}

// request is what a test sends; without a method it is a POST to /publish.
type request struct {
	method string
	path   string
	header []string // "Name: value"
	host   string
	body   string
}

func postTo(query, contentType, body string, header ...string) request {
	if contentType != "" {
		header = append(header, "Content-Type: "+contentType)
	}
	return request{http.MethodPost, "/publish" + query, header, "", body}
}

const jsonType = "application/json"

func get(path string, header ...string) request {
	return request{method: http.MethodGet, path: path, header: header}
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (n *node) do(t *testing.T, r request) answer {
	t.Helper()
	return n.ask(t, t.Context(), r, func(*http.Response) bool { return true })
}

// ask sends a request, and reads the body of its answer where that is wanted.
func (n *node) ask(t *testing.T, ctx context.Context, r request, wanted func(*http.Response) bool) answer {
	t.Helper()
	q, err := http.NewRequestWithContext(ctx, r.method, n.URL+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range r.header {
		name, value, _ := strings.Cut(h, ": ")
		q.Header.Add(name, value)
	}
	if r.host != "" {
		q.Host = r.host
	}
	response, err := n.client.Do(q)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	defer func() { _ = response.Body.Close() }()
	if !wanted(response) {
		return answer{response.StatusCode, response.Header, nil}
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	return answer{response.StatusCode, response.Header, body}
}

// first is do for a request that may open a stream, which it then leaves.
func (n *node) first(t *testing.T, r request) answer {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	return n.ask(t, ctx, r, func(a *http.Response) bool { return a.Header.Get("Content-Type") != "text/event-stream" })
}

// send posts a body as it comes.
func (n *node) send(t *testing.T, path, contentType, authorization string, body io.Reader) answer {
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL+path, body)
	if err != nil {
		t.Error(err)
		return answer{}
	}
	q.Header.Set("Content-Type", contentType)
	q.Header.Set("Authorization", authorization)
	response, err := n.client.Do(q)
	if err != nil {
		t.Error(err)
		return answer{}
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return answer{response.StatusCode, response.Header, text}
}

// put stores a message past the node.
func (n *node) put(t *testing.T, topic, data string) {
	t.Helper()
	if _, err := n.Bus.Publish(t.Context(), []event.Message{{Topic: event.Topic(topic), Data: event.Data{Text: data}}}); err != nil {
		t.Fatal(err)
	}
}

// decode reads an answer that must be a 200 with JSON of exactly that form.
func decode[T any](t *testing.T, a answer) (v T) {
	t.Helper()
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Fatalf("got %d, %s: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return v
}

type receipt struct {
	Topic     string
	ID        string
	Duplicate bool
}

// publish sends a raw message and returns its id.
func (n *node) publish(t *testing.T, topic, data string) string {
	t.Helper()
	r := decode[receipt](t, n.do(t, postTo("?topic="+topic, "text/plain", data)))
	if _, err := event.ParseCursor(r.ID); err != nil || r.Topic != topic || r.Duplicate {
		t.Fatalf("publishing %q: %+v", topic, r)
	}
	return r.ID
}

// stored returns all that the node's bus holds.
func (n *node) stored(t *testing.T) (all []event.Event) {
	t.Helper()
	return storedIn(t, n.Bus)
}

type reader interface {
	Clock(context.Context) (event.Clock, error)
	Topics(context.Context, *event.Selector, event.Topic, int) ([]event.TopicInfo, error)
	History(context.Context, event.Range) (event.Page, error)
}

func storedIn(t *testing.T, bus reader) (all []event.Event) {
	t.Helper()
	infos, err := bus.Topics(context.Background(), nil, "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	clock, err := bus.Clock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		page, err := bus.History(context.Background(), event.Range{Topic: i.Topic, Upto: clock.Position})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Events...)
	}
	return all
}

// problem is an error answer with all its members.
type problem struct {
	Title  string
	Status int
	Detail string
	Hint   string
	Item   *int
	Stored string

	TopicStatus string `json:"topic_status"`
	// of streams
	Published  *int
	Duplicates int
	LastID     string `json:"last_id"`
}

// expectProblem checks that the answer is an error with that status, in the
// form of RFC 9457, whose detail or hint has all of the words.
func expectProblem(t *testing.T, a answer, status int, words ...string) problem {
	t.Helper()
	var p problem
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatalf("got %d and no problem: %q (%v)", a.status, a.body, err)
	}
	if a.status != status || p.Status != status || p.Title != http.StatusText(status) || p.Detail == "" ||
		a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d, %q, %+v; want %d", a.status, a.header.Get("Content-Type"), p, status)
	}
	for _, word := range words {
		if text := fmt.Sprintf("%s (%s)", p.Detail, p.Hint); !strings.Contains(text, word) {
			t.Errorf("%q says nothing of %q", text, word)
		}
	}
	return p
}
