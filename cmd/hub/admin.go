package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"tickertape/internal/auth"
)

// adminTime is what the admin server gives those who still read when the node
// has ended otherwise.
const adminTime = 500 * time.Millisecond

// admin serves what is for operators only, on an address of its own.
type admin struct {
	listener net.Listener
	server   *http.Server
}

// openAdmin listens on the address, or returns nil if there shall be none.
func openAdmin(addr string, metrics http.Handler, log *slog.Logger) (*admin, error) {
	if addr == noAdmin {
		return nil, nil
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--admin-addr (HUB_ADMIN_ADDR): %w; choose another one, or none", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	// Not cmdline: it has --redis, and that may have a password.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
	log.Info(fmt.Sprintf("metrics are on http://%s/metrics", listener.Addr()))
	var handler http.Handler = mux
	if host, _, err := net.SplitHostPort(addr); err == nil && auth.IsLoopback(host) {
		handler = onlyHere(mux)
	}
	return &admin{listener, &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}}, nil
}

// onlyHere answers requests whose address says that they mean this machine. The name
// of a foreign page could be made to point here, and then that page would read what is
// for operators: to its browser all would be of one origin.
func onlyHere(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !auth.IsLoopback(strings.Trim(host, "[]")) {
			http.Error(w, "this address is for this machine: ask for localhost or a loopback address", http.StatusMisdirectedRequest)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// serve serves until end is called.
func (a *admin) serve() error {
	if a == nil {
		return nil
	}
	if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("--admin-addr (HUB_ADMIN_ADDR): %w", err)
	}
	return nil
}

// end ends it, and cuts off whoever takes longer, such as a profile.
func (a *admin) end() {
	if a == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		_ = a.server.Close()
	}
}
