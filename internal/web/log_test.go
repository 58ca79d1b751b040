package web_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/nodetest"
)

// entries is a log as it is written.
type entries struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *entries) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *entries) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// with returns the entries that have the message.
func (l *entries) with(t *testing.T, message string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

// startLogged starts a node that logs everything.
func startLogged(t *testing.T, o nodetest.Options) (*node, *entries) {
	t.Helper()
	log := &entries{}
	o.Web.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &node{nodetest.Start(t, o), &http.Client{Transport: transport, Timeout: patience}}, log
}

// until waits until the log has so many entries with the message.
func (l *entries) until(t *testing.T, n int, message string) []map[string]any {
	t.Helper()
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		if found := l.with(t, message); len(found) >= n {
			return found
		}
	}
	t.Fatalf("the log lacks %q:\n%s", message, l)
	return nil
}

// What a client got of its stream stands in one line.
func TestStreamLeavesOneLine(t *testing.T) { onWriters(t, streamLeavesOneLine) }

func streamLeavesOneLine(t *testing.T, o nodetest.Options) {
	o.Stream.MaxStreams = 1
	n, log := startLogged(t, o)
	s := n.open(t, "?topic=a&topic=b&topic=c&topic=d")
	s.opened(false)
	n.publish(t, "a", "one")
	n.publish(t, "d", "two")
	s.expect("one", "two")
	full, err := n.client.Get(n.URL + "/events?topic=a")
	if err != nil {
		t.Fatal(err)
	}
	_ = full.Body.Close()
	if away := log.until(t, 1, "streams are sent away")[0]; away["reason"] != "full" || away["level"] != "WARN" {
		t.Errorf("sent away: %v", away)
	}
	id := s.close()
	first := log.until(t, 1, "stream ended")[0]
	for name, want := range map[string]any{"level": "INFO", "topics": 4.0, "events": 2.0, "gaps": 0.0, "resumed": false, "reason": "left"} {
		if first[name] != want {
			t.Errorf("%s is %v, not %v", name, first[name], want)
		}
	}
	named, _ := first["first_topics"].([]any)
	if len(named) != 3 || named[0] != "a" || first["bytes"].(float64) < 100 || !strings.HasPrefix(first["remote"].(string), "127.0.0.1:") || first["stream"] == "" {
		t.Errorf("the stream left %v", first)
	}
	if want := []string{"bytes", "events", "first_topics", "gaps", "lasted", "level", "msg", "reason", "remote", "resumed", "stream", "time", "topics"}; !slices.Equal(slices.Sorted(maps.Keys(first)), want) {
		t.Errorf("the line has %v", slices.Sorted(maps.Keys(first)))
	}
	again := n.open(t, "?topic=a", "Last-Event-ID: "+id)
	again.opened(true)
	again.close()
	if second := log.until(t, 2, "stream ended")[1]; second["resumed"] != true || second["events"] != 0.0 {
		t.Errorf("the second stream left %v", second)
	}
}

// A token in a query reaches no log, whatever becomes of the request.
func TestTokensAreNotLogged(t *testing.T) {
	t.Parallel()
	n, log := startLogged(t, nodetest.Options{})
	const secret = "s3cr3t"
	for _, path := range []string{"/events?topic=a&access_token=" + secret, "/events?topic=a&last_event_id=" + secret, "/events?access_token=" + secret, "/topics?access_token=" + secret + "&limit=x",
		"/topics/a?access_token=" + secret, "/topics/a/messages?since=" + secret, "/nowhere?access_token=" + secret, "/?access_token=" + secret, "/readyz?access_token=" + secret} {
		answer, err := n.client.Get(n.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	n.do(t, postTo("?topic=a&access_token="+secret, "text/plain", secret, "Authorization: Bearer "+secret))
	n.do(t, postTo("?topic=a", "text/plain", secret, "Authorization: Bearer "+secret))
	log.until(t, 2, "stream ended")
	n.Stop()
	if text := log.String(); strings.Contains(text, secret) {
		t.Errorf("the log has the token:\n%s", text)
	}
}
