package web_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/membus"
)

// pipes is a listener whose connections are in memory, where time is made up.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowBodies: a body that comes byte by byte is cut off when its time is over,
// with an answer that says so, and stores nothing.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"raw":     "POST /publish?topic=a HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n",
		"short":   "POST /publish?topic=a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
		"JSON":    "POST /publish?topic=a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n",
		"chunked": "POST /publish?topic=a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n",
		"end":     "POST /topics/a/end HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
		"cancel":  "POST /topics/a/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { slowBody(t, head) })
		})
	}
}

func slowBody(t *testing.T, head string) {
	bus := membus.New(membus.Options{})
	defer bus.Close()
	listener := &pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: idleServer(t, bus, slog.New(slog.DiscardHandler))}
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { _ = server.Serve(listener) })
	client, conn := net.Pipe()
	defer func() {
		_ = client.Close()
		_ = server.Shutdown(t.Context())
	}()
	listener.conns <- conn
	began := time.Now()
	all.Go(func() {
		for text := head; ; text = " " {
			if _, err := io.WriteString(client, text); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	})
	response, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	expectProblem(t, answer{response.StatusCode, response.Header, body}, http.StatusRequestTimeout, "too long")
	if lasted := time.Since(began); lasted != 30*time.Second || !response.Close {
		t.Errorf("answered after %v, and the connection goes on: %t", lasted, !response.Close)
	}
	if stored := fmt.Sprint(storedIn(t, bus)); stored != "[]" {
		t.Errorf("stored %s", stored)
	}
}
