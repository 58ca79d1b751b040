package referee_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"tickertape/internal/referee"
)

// raw is a stream as bytes: it never comes back by itself.
type raw struct {
	status int

	mu    sync.Mutex
	lines []string
	ended bool
}

// open opens a stream of a topic, and returns with its first bytes.
func open(t *testing.T, n *referee.Node, topic, query string) *raw {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL+"/events?topic="+url.QueryEscape(topic)+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	r := &raw{status: response.StatusCode}
	var reading sync.WaitGroup
	reading.Go(func() { r.read(response.Body) })
	t.Cleanup(func() {
		cancel()
		_ = response.Body.Close()
		reading.Wait()
	})
	return r
}

func (r *raw) read(body io.Reader) {
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		r.mu.Lock()
		r.lines = append(r.lines, lines.Text())
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

// count returns how many lines with the beginning came.
func (r *raw) count(prefix string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.lines {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// over reports whether the stream has ended.
func (r *raw) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}
