package chat

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// newTransport returns a transport that never waits for more of a stream in
// order to decompress it.
func newTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.DisableCompression = true
	return t
}

// maxRefusal bounds the body of an error answer, in bytes: the library reads it
// whole.
const maxRefusal = 64 << 10

// bounded bounds what error answers bring.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil && answer.StatusCode >= http.StatusBadRequest {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxRefusal), answer.Body}
	}
	return answer, err
}

// CloseIdleConnections passes on what http.Client asks.
func (b bounded) CloseIdleConnections() {
	if t, ok := b.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// silence breaks off a request whose answer is waited for too long. It runs only
// while something is waited for.
type silence struct {
	limit time.Duration
	timer *time.Timer
}

func newSilence(limit time.Duration, cancel context.CancelCauseFunc) *silence {
	timer := time.AfterFunc(limit, func() { cancel(fmt.Errorf("the model's server sent nothing for %v", limit)) })
	timer.Stop()
	return &silence{limit: limit, timer: timer}
}

func (s *silence) start() { s.timer.Reset(s.limit) }
func (s *silence) stop()  { s.timer.Stop() }

// guard returns a reader over r whose every Read is watched.
func (s *silence) guard(r io.Reader) io.Reader { return guarded{r, s} }

type guarded struct {
	io.Reader
	silence *silence
}

func (g guarded) Read(p []byte) (int, error) {
	g.silence.start()
	defer g.silence.stop()
	return g.Reader.Read(p)
}
