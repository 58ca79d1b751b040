//go:build unix

package main_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// streamIn publishes lines in one request, which stays open. finish waits for
// its answer.
func (p *process) streamIn() (send func(line string), finish func() (status int, answer string, retryAfter string)) {
	reader, writer := io.Pipe()
	var status int
	var answer, retryAfter string
	var publishing sync.WaitGroup
	publishing.Go(func() {
		request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/publish?topic=news", reader)
		if err != nil {
			answer = err.Error()
			return
		}
		request.Header.Set("Content-Type", "application/x-ndjson")
		response, err := p.client.Transport.RoundTrip(request)
		if err == nil {
			retryAfter = response.Header.Get("Retry-After")
		}
		status, answer = answered(response, err)
	})
	// A client without an answer waits for its body to go on.
	limit := time.AfterFunc(endTime, func() { _ = writer.Close() })
	p.t.Cleanup(func() { limit.Stop(); _ = writer.Close() })
	return func(line string) { _, _ = io.WriteString(writer, line+"\n") }, func() (int, string, string) {
		publishing.Wait()
		return status, answer, retryAfter
	}
}

// A stream in goes on while balancers have yet to see that the node ends. Then
// it is told how far it came, and does not hold the node up.
func TestDrainEndsStreamsIn(t *testing.T) {
	t.Parallel()
	for _, bus := range []string{"shared", "memory"} {
		t.Run(bus, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t, bus, "HUB_DRAIN_WAIT=6s", "HUB_DRAIN_WINDOW=1s")
			r, _ := p.listen()
			send, finish := p.streamIn()
			send(`{"data":"one"}`)
			if block, _ := r.block(); !strings.Contains(block, "one") {
				t.Fatalf("the first line came as %q", block)
			}
			p.signal(syscall.SIGTERM)
			want := `"published":1`
			if bus == "shared" {
				p.until("it is not ready", func() bool { status, _ := p.get("/readyz"); return status == http.StatusServiceUnavailable })
				send(`{"data":"two"}`)
				if block, _ := r.block(); !strings.Contains(block, "two") {
					t.Errorf("a line during the wait came as %q", block)
				}
				want = `"published":2`
			}
			status, answer, retryAfter := finish()
			if status != http.StatusServiceUnavailable || !strings.Contains(answer, `"stored":"no"`) || !strings.Contains(answer, want) || retryAfter == "" {
				t.Errorf("the stream is answered %d %s, Retry-After %q", status, answer, retryAfter)
			}
			if status := p.exit(); status != 0 || !strings.Contains(p.log.String(), inOrder) {
				t.Errorf("exit status %d", status)
			}
		})
	}
}
