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

// http2 bounds what one connection of HTTP/2 may take. RFC 9113 asks for no fewer
// streams than these, and net/http runs no more requests at once than that, also
// when a client takes each back as soon as it is made. Of bodies that nobody has
// read yet it keeps less than the 1 MiB that it would. Deadlines of streams end
// those alone: a connection whose client takes nothing is cut by itself, and so is
// one whose client is gone.
func http2() *http.HTTP2Config {
	return &http.HTTP2Config{MaxConcurrentStreams: 100, MaxReadFrameSize: 16 << 10,
		MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 256 << 10,
		WriteByteTimeout: 30 * time.Second, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second}
}

// serveAll answers what comes by the listener, until the server is shut down.
// Whether it is over TLS it is told: net/http fills in TLSConfig for itself.
func serveAll(s *http.Server, listener net.Listener, secure bool) error {
	serve := s.Serve
	if secure {
		serve = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
