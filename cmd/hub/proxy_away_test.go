//go:build unix

package main_test

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
)

// While no hub is ready, HAProxy answers in a hub's place: a browser is told
// to come back, a publisher that nothing was stored.
func TestHAProxyAnswersForHubs(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "memory")
	edge := startHAProxy(t, strings.TrimPrefix(p.url, "http://"))
	p.signal(syscall.SIGTERM)
	if status := p.exit(); status != 0 {
		t.Fatalf("the hub's exit status is %d", status)
	}
	// Until HAProxy has noticed, it says so in words of its own.
	var kind, retry, body string
	p.until("a publisher is told that nothing was stored", func() bool {
		r, err := p.client.Post(edge+"/publish?topic=news", "text/plain", strings.NewReader("x"))
		if err != nil {
			return false
		}
		defer func() { _ = r.Body.Close() }()
		text, err := io.ReadAll(r.Body)
		kind, retry, body = r.Header.Get("Content-Type"), r.Header.Get("Retry-After"), string(text)
		return err == nil && r.StatusCode == http.StatusServiceUnavailable && strings.Contains(body, `"stored":"no"`)
	})
	if kind != "application/problem+json" || retry != "1" {
		t.Errorf("%s, Retry-After %q: %s", kind, retry, body)
	}
	for range 3 {
		if status, text := answered(p.client.Get(edge + "/events?topic=news")); status != http.StatusOK || !onlyRetry.MatchString(text) {
			t.Errorf("a stream: %d %q", status, text)
		}
	}
	if status, _ := answered(p.client.Get(edge + "/readyz")); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d", status)
	}
}

// A proxy ends a stream when its client has left, not only once it cannot pass
// something on.
func TestProxiesSayThatClientsLeft(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, ...string) string{"HAProxy": startHAProxy, "nginx": startNginx} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A quiet stream, and less patience than the proxies have.
			node := nodetest.Start(t, nodetest.Options{Stream: stream.Options{KeepAlive: time.Hour}})
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			r, err := client.Get(start(t, node.Addr) + "/events?topic=news")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Body.Read(make([]byte, 1)); err != nil || node.Streams.Stats().Open != 1 {
				t.Fatalf("%v, %d streams are open", err, node.Streams.Stats().Open)
			}
			_ = r.Body.Close()
			for limit := time.Now().Add(40 * time.Second); node.Streams.Stats().Open > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(limit) {
					t.Fatal("the stream is still open")
				}
			}
		})
	}
}
