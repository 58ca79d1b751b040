package metrics_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tickertape/internal/hub"
	"tickertape/internal/metrics"
	"tickertape/internal/nodetest"
)

// lingering is where net/http waits for half a second before it closes a
// connection whose body it has not read: it ends by itself.
const lingering = "net/http.(*conn).closeWriteAndWait"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(lingering)) }

// patience is how long a test waits for what must happen.
const patience = time.Minute

// node is a real node that is watched.
type node struct {
	*nodetest.Node
	t       *testing.T
	metrics *metrics.Metrics
	client  *http.Client
}

func start(t *testing.T, bus hub.Bus, o nodetest.Options) *node {
	t.Helper()
	m := metrics.New("v1.2.3")
	o.Over = m.Publisher(bus)
	o.Stream.Delay = m.Delivered
	transport := &http.Transport{DisableCompression: true}
	n := &node{t: t, metrics: m, Node: nodetest.Start(t, o), client: &http.Client{Transport: transport}}
	t.Cleanup(func() { n.Stop(); transport.CloseIdleConnections() })
	if err := m.Watch(metrics.Node{Bus: bus, Hub: n.Hub, Streams: n.Streams, Web: n.Web,
		Certificate: func() time.Duration { return time.Hour }}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-n.Hub.Ready():
	case <-time.After(patience):
		t.Fatal("the node hears nothing")
	}
	return n
}

// scrape returns what Prometheus is told.
func (n *node) scrape() string {
	n.t.Helper()
	answer := httptest.NewRecorder()
	n.metrics.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		n.t.Fatalf("scrape: %d %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

var sampleForm = regexp.MustCompile(`(?m)^tickertape_(\S+) (\S+)$`)

// samples returns the values by name and labels, like
// streams_ended_total{reason="left"}.
func (n *node) samples() map[string]float64 {
	n.t.Helper()
	all := map[string]float64{}
	for _, m := range sampleForm.FindAllStringSubmatch(n.scrape(), -1) {
		value, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			n.t.Fatal(err)
		}
		all[m[1]] = value
	}
	return all
}

// watched are what moves by what a test does, and by nothing else.
var watched = regexp.MustCompile(`^(streams|gaps|panics|topics_ended|table|catch_up|repairs|messages_pub|publish_req|events_|publish_duration_seconds_count|redis_losses|epoch)`)

// expect waits until the metrics have moved since before by exactly this.
func (n *node) expect(what string, before map[string]float64, want map[string]float64) {
	n.t.Helper()
	moved := map[string]float64{}
	for limit := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		clear(moved)
		for name, value := range n.samples() {
			if _, asked := want[name]; (asked || watched.MatchString(name)) && value != before[name] {
				moved[name] = value - before[name]
			}
		}
		if maps.Equal(moved, want) {
			return
		}
		if time.Now().After(limit) {
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(moved)) {
		if moved[name] != want[name] {
			n.t.Errorf("%s: %s moved by %v, not by %v", what, name, moved[name], want[name])
		}
	}
	for name, by := range want {
		if _, ok := moved[name]; !ok {
			n.t.Errorf("%s: %s did not move by %v", what, name, by)
		}
	}
	n.t.FailNow()
}

// await waits until the metrics are as they should.
func (n *node) await(what string, holds func(now map[string]float64) bool) {
	n.t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		now := n.samples()
		if holds(now) {
			return
		}
		if time.Now().After(limit) {
			n.t.Fatalf("waited in vain until %s: %v", what, now)
		}
	}
}

// publish sends a body and returns the answer's status.
func (n *node) publish(query, contentType, body string) int {
	n.t.Helper()
	return n.post("/publish"+query, contentType, body)
}

func (n *node) post(path, contentType, body string) int {
	n.t.Helper()
	answer, err := n.client.Post(n.URL+path, contentType, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		n.t.Fatal(err)
	}
	return answer.StatusCode
}

// listener is an open stream that is read all the time.
type listener struct {
	body    io.ReadCloser
	reading sync.WaitGroup

	mu  sync.Mutex
	all strings.Builder
}

func (n *node) listen(query string) *listener {
	n.t.Helper()
	answer, err := n.client.Get(n.URL + "/events?" + query)
	if err != nil {
		n.t.Fatal(err)
	}
	s := &listener{body: answer.Body}
	s.reading.Go(func() {
		for b := make([]byte, 4<<10); ; {
			n, err := answer.Body.Read(b)
			s.mu.Lock()
			s.all.Write(b[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	n.t.Cleanup(s.close)
	return s
}

func (s *listener) close() {
	_ = s.body.Close()
	s.reading.Wait()
}

// text returns what has come.
func (s *listener) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// id returns the last id that has come.
func (s *listener) id() string {
	text := s.text()
	_, id, _ := strings.Cut(text[strings.LastIndex(text, "id: "):], " ")
	id, _, _ = strings.Cut(id, "\n")
	return id
}

// labelled names a sample.
func labelled(name string, pairs ...string) string {
	var list []string
	for pair := range slices.Chunk(pairs, 2) {
		list = append(list, fmt.Sprintf("%s=%q", pair[0], pair[1]))
	}
	return name + "{" + strings.Join(list, ",") + "}"
}
