//go:build linux

package load_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"tickertape/bench/internal/load"
)

// fake is a server that does to messages what a test wants.
type fake struct {
	// mangle returns the status of a publish, and what the n-th subscriber
	// gets instead of the message; false cuts it off.
	mangle func(n int, message string) (status int, got []string, goes bool)

	mu          sync.Mutex
	subscribers map[string][]*ear
	kept        map[string][]string
}

// ear is a subscriber.
type ear struct {
	number int
	ended  chan struct{}
	write  func(id int, message string)
}

func plainly(_ int, message string) (int, []string, bool) { return 200, []string{message}, true }

func start(t *testing.T, mangle func(int, string) (int, []string, bool)) load.Target {
	t.Helper()
	f := &fake{mangle: mangle, subscribers: map[string][]*ear{}, kept: map[string][]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /publish/{topic}", f.publish)
	mux.HandleFunc("POST /lines", f.lines)
	mux.HandleFunc("GET /events/{topic}", f.events)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return load.Target{
		Addr: server.Listener.Addr().String(), Publish: "/publish/t{topic}", Events: "/events/t{topic}", Stream: "/lines",
		Body: `{"here":"{payload}"}`, Line: `{"topic":"t{topic}","data":"{payload}"}`, Headers: []string{"X-Who: me"},
	}
}

func (f *fake) publish(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("X-Who") != "me" || r.Header.Get("Content-Type") != "text/plain" || !strings.HasPrefix(string(body), `{"here":"bench:`) {
		http.Error(w, "not what was agreed", http.StatusTeapot)
		return
	}
	w.WriteHeader(f.take(r.PathValue("topic"), string(body)))
}

func (f *fake) lines(w http.ResponseWriter, r *http.Request) {
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		var m struct{ Topic, Data string }
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		f.take(m.Topic, m.Data)
	}
}

// take gives a message to a topic's subscribers.
func (f *fake) take(topic, message string) (status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	status, _, _ = f.mangle(-1, message)
	if status != 200 {
		return status
	}
	f.kept[topic] = append(f.kept[topic], message)
	for _, e := range f.subscribers[topic] {
		_, got, goes := f.mangle(e.number, message)
		if !goes {
			close(e.ended)
			f.subscribers[topic] = nil
			break
		}
		for _, m := range got {
			e.write(len(f.kept[topic]), m)
		}
	}
	return status
}

func (f *fake) events(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	topic := r.PathValue("topic")
	e := &ear{ended: make(chan struct{}), write: func(id int, message string) {
		_, _ = fmt.Fprintf(w, "id: %d\ndata: %s\n\n", id, message)
		_ = out.Flush()
	}}
	f.mu.Lock()
	after := len(f.kept[topic])
	_, _ = fmt.Sscan(r.Header.Get("Last-Event-ID"), &after)
	e.number = len(f.subscribers[topic])
	f.subscribers[topic] = append(f.subscribers[topic], e)
	_ = out.Flush()
	for i, m := range f.kept[topic][after:] {
		e.write(after+i+1, m)
	}
	f.mu.Unlock()
	select {
	case <-e.ended:
	case <-r.Context().Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		f.subscribers[topic] = nil
	}
}
