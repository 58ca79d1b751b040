//go:build unix

package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tickertape/internal/redistest"
	"tickertape/internal/sse"
)

// answers is the load of TestAnswers: so many answers, so many of them at once,
// of so many tokens each, 20 a second.
type answers struct{ all, wave, tokens int }

const (
	tokenPause = time.Second / 20
	// keptTime is how long the store of TestAnswers keeps what is over.
	keptTime = 10 * time.Second
)

// TestAnswers streams answers to readers, as chats do: each is a topic of its
// own with a lease, whose producer speaks to one node and whose reader listens
// at another, comes late or breaks off in the middle and comes back. Each reader
// has the whole answer and its end, once; nodes do not grow with the topics that
// there were, and Redis has forgotten all of them when their time is over. Its
// short form runs with all tests, the full one by "make answers".
func TestAnswers(t *testing.T) {
	a := answers{all: 200, wave: 100, tokens: 20}
	if os.Getenv("ANSWERS") == "full" {
		a = answers{all: 10_000, wave: 500, tokens: 40}
	}
	redis := redistest.Start(t)
	var nodes []*process
	for range 2 {
		nodes = append(nodes, startProcess(t, "", "HUB_REDIS="+redis.URL, "HUB_RETAIN_AGE="+keptTime.String()))
	}
	before, most := goroutines(nodes), 0
	transport := &http.Transport{MaxIdleConnsPerHost: a.wave, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}

	began := time.Now()
	var whole, failed atomic.Int64
	for first := 0; first < a.all; first += a.wave {
		var wave sync.WaitGroup
		for n := first; n < min(first+a.wave, a.all); n++ {
			one := answer{client: client, topic: fmt.Sprint("chat.", n), tokens: a.tokens, number: n,
				at: nodes[n%2].url, from: nodes[(n+1)%2].url, other: nodes[n%2].url}
			wave.Go(func() {
				if err := one.produce(t.Context()); err != nil && failed.Add(1) <= 5 {
					t.Errorf("%s: %v", one.topic, err)
				}
			})
			wave.Go(func() {
				if err := one.follow(t.Context()); err == nil {
					whole.Add(1)
				} else if failed.Add(1) <= 5 {
					t.Errorf("reader of %s: %v", one.topic, err)
				}
			})
		}
		wave.Wait()
		transport.CloseIdleConnections()
		most = max(most, goroutines(nodes))
	}
	took := time.Since(began)
	if whole := int(whole.Load()); whole != a.all {
		t.Errorf("%d of %d answers were whole", whole, a.all)
	}
	nodes[0].until("the nodes are as they were", func() bool { return goroutines(nodes) <= before+10 })
	t.Logf("%d answers of %d tokens, %d at once, in %v: %d whole; goroutines of both nodes: %d before, at most %d between waves, %d at the end",
		a.all, a.tokens, a.wave, took.Round(time.Second), whole.Load(), before, most, goroutines(nodes))
	expectForgotten(t, nodes[0], redis)
}

func goroutines(nodes []*process) (sum int) {
	for _, n := range nodes {
		sum += int(n.metric("go_goroutines"))
	}
	return sum
}

// expectForgotten waits until Redis has no key of any topic.
func expectForgotten(t *testing.T, node *process, redis *redistest.Server) {
	t.Helper()
	left := func() (keys []string) {
		for _, key := range strings.Fields(redis.Must("KEYS", "*")) {
			if !strings.HasSuffix(key, "clock") && !strings.HasSuffix(key, "epochs") && !strings.Contains(key, "lane:") {
				keys = append(keys, key)
			}
		}
		return keys
	}
	limit := time.Now().Add(2 * time.Minute)
	for len(left()) > 0 && time.Now().Before(limit) {
		time.Sleep(100 * time.Millisecond)
	}
	if keys := left(); len(keys) > 0 {
		t.Fatalf("%d keys are left in Redis, such as %q", len(keys), keys[0])
	}
	t.Logf("left in Redis: %s", strings.Join(strings.Fields(redis.Must("KEYS", "*")), " "))
}

// answer is one answer, its producer and its reader.
type answer struct {
	client          *http.Client
	topic           string
	tokens, number  int
	at, from, other string // where it is published, where it is read, and where its reader comes back
}

func (a answer) token(i int) string { return fmt.Sprintf("token %d of %d. ", i, a.number) }

// produce sends the tokens through one open request, each when it comes, and
// ends the topic behind the last.
func (a answer) produce(ctx context.Context) error {
	body, lines := io.Pipe()
	var writing sync.WaitGroup
	writing.Go(func() {
		to := json.NewEncoder(lines)
		var err error
		for i := range a.tokens {
			line := map[string]any{"topic": a.topic, "data": a.token(i)}
			if i == 0 {
				line["lease"] = keptTime.String()
			}
			if i == a.tokens-1 {
				line["end"] = true
			}
			if err = to.Encode(line); err != nil {
				break
			}
			time.Sleep(tokenPause) // a rate, not a condition
		}
		_ = lines.CloseWithError(err) // nil: it ends as it should
	})
	defer writing.Wait()
	defer func() { _ = body.Close() }()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.at+"/publish", body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	status, text := answered(a.client.Do(request))
	var told struct{ Published int }
	if err := json.Unmarshal([]byte(text), &told); status != http.StatusOK || err != nil || told.Published != a.tokens {
		return fmt.Errorf("the producer was answered %d: %.200s", status, text)
	}
	return nil
}

// errBroken is how a reader breaks off.
var errBroken = errors.New("broken off")

// follow reads the answer from its beginning to its end. Of three readers, one
// comes when half of it is said, and one breaks off in the middle.
func (a answer) follow(ctx context.Context) error {
	if a.number%3 == 1 {
		time.Sleep(time.Duration(a.tokens/2) * tokenPause) // so late, not a condition
	}
	r := answerReader{answer: a, breakAt: -1}
	if a.number%3 == 2 {
		r.breakAt = a.tokens / 2
	}
	err := r.read(ctx, a.from+"/events?since=all&topic="+a.topic, "")
	if errors.Is(err, errBroken) {
		r.breakAt = -1
		err = r.read(ctx, a.other+"/events?topic="+a.topic, r.cursor)
	}
	if err != nil {
		return err
	}
	var want strings.Builder
	for i := range a.tokens {
		want.WriteString(a.token(i))
	}
	if r.text.String() != want.String() || r.status != "completed" {
		return fmt.Errorf("ended as %q with %q", r.status, r.text.String())
	}
	return nil
}

// answerReader is what a reader has of an answer.
type answerReader struct {
	answer
	breakAt int // it breaks off after so many tokens, unless that is negative
	got     int
	text    strings.Builder
	status  string
	cursor  string
}

// read reads a stream until the hub ends it, which it does in good order.
func (r *answerReader) read(ctx context.Context, url, cursor string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if cursor != "" {
		request.Header.Set("Last-Event-ID", cursor)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /events: %s", response.Status)
	}
	events := sse.NewDecoder(bufio.NewReader(response.Body), 1<<20)
	for {
		e, err := events.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("after %d tokens and status %q: %w", r.got, r.status, err)
		}
		r.cursor = events.LastID()
		switch e.Name {
		case "message":
			r.text.WriteString(e.Data)
			if r.got++; r.got == r.breakAt {
				return errBroken
			}
		case "hub.end":
			var end struct{ Status string }
			if err := json.Unmarshal([]byte(e.Data), &end); err != nil || r.status != "" {
				return fmt.Errorf("a second end, or none of the hub's: %s, %w", e.Data, err)
			}
			r.status = end.Status
		case "hub.gap":
			return fmt.Errorf("a gap: %s", e.Data)
		}
	}
}
