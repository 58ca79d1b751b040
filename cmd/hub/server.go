package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"tickertape/internal/stream"
	"tickertape/internal/web"
)

// newServer returns the server of all that clients ask for, over TLS if there is a
// certificate.
func newServer(handler *web.Server, cert *certificate, log *slog.Logger) *http.Server {
	s := &http.Server{Handler: handler, ConnContext: stream.WithConn, ConnState: handler.ConnState, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	if cert != nil {
		s.TLSConfig, s.HTTP2 = cert.config(), http2()
	}
	return s
}

// http2 bounds what one connection of HTTP/2 may take. A page needs few streams, and
// a proxy opens more connections: RFC 9113 asks for no fewer streams than that. No
// more requests run at once either, also when each is taken back as soon as it is
// made. Bodies that nobody has read yet are kept for a client, as are its headers
// for the next request: both have less than net/http would give them, 1 MiB each. A
// client that takes nothing of all that its connection has for it is cut: the
// deadline of a stream ends that stream alone. One that is gone is found out though
// none of its streams has anything to say.
func http2() *http.HTTP2Config {
	return &http.HTTP2Config{MaxConcurrentStreams: 100, MaxReadFrameSize: 16 << 10,
		MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 256 << 10,
		WriteByteTimeout: 30 * time.Second, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second}
}

// serveAll answers what comes by the listener, until the server is shut down.
func serveAll(s *http.Server, listener net.Listener) error {
	serve := s.Serve
	if s.TLSConfig != nil {
		serve = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// schemeOf returns what a URL of the server begins with.
func schemeOf(s *http.Server) string {
	if s.TLSConfig != nil {
		return "https"
	}
	return "http"
}
