package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
)

// exchange sends bytes on a connection of its own and returns the answer.
func exchange(t *testing.T, addr, request string, then func(*net.TCPConn)) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	if then != nil {
		then(conn.(*net.TCPConn))
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.40q: %v", request, err)
	}
	return answer // its body ends with the connection: to close it is to read all of it
}

// TestBodyThatNeverComes: a body that is announced and does not come must not
// hold up an answer that does not need it.
func TestBodyThatNeverComes(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	for request, status := range map[string]int{
		"GET /healthz HTTP/1.1\nHost: x\nContent-Length: 10\n\n":                                        http.StatusOK,
		"GET /events?topic=a HTTP/1.1\nHost: x\nContent-Length: 10\n\n":                                 http.StatusOK,
		"POST /publish?topic=a HTTP/1.1\nHost: x\nOrigin: http://y\nContent-Length: 10\n\n":             http.StatusForbidden,
		"POST /publish?topic=a HTTP/1.1\nHost: x\nContent-Type: text/html\nContent-Length: 10\n\n":      http.StatusUnsupportedMediaType,
		"POST /publish?topic=a&x=y HTTP/1.1\nHost: x\nContent-Type: text/plain\nContent-Length: 10\n\n": http.StatusBadRequest,
		"POST /nowhere HTTP/1.1\nHost: x\nContent-Type: text/plain\nContent-Length: 10\n\n":             http.StatusNotFound,
		"DELETE /publish HTTP/1.1\nHost: x\nContent-Type: text/plain\nTransfer-Encoding: chunked\n\n":   http.StatusMethodNotAllowed,
	} {
		t.Run(request[:strings.Index(request, " HTTP")], func(t *testing.T) {
			t.Parallel()
			if answer := exchange(t, n.Addr, request, nil); answer.StatusCode != status {
				t.Errorf("got %d, want %d", answer.StatusCode, status)
			}
		})
	}
}

// TestNamesThatPointHere: a foreign page whose name was made to point to this
// machine looks like the hub's own.
func TestNamesThatPointHere(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	for host, status := range map[string]int{
		"evil.example": http.StatusForbidden, "localhost.evil.example:80": http.StatusForbidden,
		"localhost:8080": http.StatusOK, "127.0.0.1:8080": http.StatusOK, "[::1]:8080": http.StatusOK,
	} {
		answer := exchange(t, n.Addr, fmt.Sprintf("POST /publish?topic=a HTTP/1.1\nHost: %s\nOrigin: http://%s\nContent-Length: 1\n\nx", host, host), nil)
		if answer.StatusCode != status {
			t.Errorf("%s: got %d, want %d", host, answer.StatusCode, status)
		}
	}
}

// slowBus takes a while to publish, and gives up with its context.
type slowBus struct{ *membus.Bus }

func (b slowBus) Publish(ctx context.Context, messages []event.Message) ([]event.Receipt, error) {
	select {
	case <-ctx.Done():
		return nil, &event.UnavailableError{Err: ctx.Err()}
	case <-time.After(200 * time.Millisecond):
		return b.Bus.Publish(ctx, messages)
	}
}

// TestHalfClosedRequestsAreAnswered: some clients close their half of the
// connection once they have asked.
func TestHalfClosedRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(idleServer(t, slowBus{membus.New(membus.Options{})}, slog.New(slog.DiscardHandler)))
	defer server.Close()
	answer := exchange(t, server.Listener.Addr().String(), "POST /publish?topic=a HTTP/1.1\nHost: x\nContent-Length: 1\n\nx", func(c *net.TCPConn) {
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	if answer.StatusCode != http.StatusOK {
		t.Errorf("got %s", answer.Status)
	}
}

// TestPublishParametersCount: what would not count is refused, not left out.
func TestPublishParametersCount(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	for query, word := range map[string]string{
		"topic=a&topic=b": "2 times", "topic=a&event=x&event=y": "2 times",
		"topic=a&idempotency_key=k": "idempotency_key", "topic=a&producers=p&seqs=1": "unknown parameter",
		"topic=a&producer=p&seq=1&seq=2": "2 times",
	} {
		answer := exchange(t, n.Addr, "POST /publish?"+query+" HTTP/1.1\nHost: x\nContent-Length: 1\n\nx", nil)
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), word) {
			t.Errorf("%s: got %s %s, %v", query, answer.Status, body, err)
		}
	}
	answer := exchange(t, n.Addr, "POST /publish?topic=a HTTP/1.1\nHost: x\nIdempotency-Key: 1\nIdempotency-Key: 2\nContent-Length: 1\n\nx", nil)
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("two keys: got %s", answer.Status)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if answer := exchange(t, n.Addr, "HEAD "+path+" HTTP/1.1\nHost: x\n\n", nil); answer.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s: got %s", path, answer.Status)
		}
	}
}
