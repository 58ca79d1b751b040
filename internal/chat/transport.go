package chat

import (
	"io"
	"net/http"
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
