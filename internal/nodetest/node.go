// Package nodetest runs whole nodes for tests: the real hub, bus, streams and
// web server behind a real socket.
package nodetest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

// Options are a node's settings. Zero fields mean the defaults.
type Options struct {
	Addr   string // to listen on; 127.0.0.1:0
	Bus    membus.Options
	Over   hub.Bus // a bus that others share, in place of one of its own
	Hub    hub.Options
	Stream stream.Options
	Web    web.Options
	TLS    *tls.Config // nil: plain HTTP
}

// Writers returns the writers of streams that this system has.
func Writers() []stream.Writer {
	if stream.Loop.Check() != nil {
		return []stream.Writer{stream.Portable}
	}
	return []stream.Writer{stream.Portable, stream.Loop}
}

// Node is a running node.
type Node struct {
	URL     string
	Addr    string
	Bus     hub.Bus
	Hub     *hub.Hub
	Streams *stream.Server
	Web     *web.Server

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	stop  func()
}

// Start starts a node that ends with the test. It returns when the node is
// ready, but does not wait for a shared bus: its store may be away.
func Start(t testing.TB, o Options) *Node {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Web.Log == nil {
		o.Web.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	listener, err := stream.Listen(context.Background(), o.Addr)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{Addr: listener.Addr().String(), Bus: o.Over, conns: map[net.Conn]struct{}{}}
	n.URL = "http://" + n.Addr
	if n.Bus == nil {
		n.Bus = membus.New(o.Bus)
	}
	if o.Hub.Rules == nil {
		o.Hub.Rules = o.Bus.Rules
	}
	n.Hub = hub.New(n.Bus, o.Hub)
	n.Streams = stream.NewServer(n.Hub, o.Stream)
	if n.Web, err = web.New(n.Hub, n.Bus, n.Streams, o.Web); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{TLSConfig: o.TLS, Handler: n.Web, ConnContext: stream.WithConn, ConnState: n.track,
		ErrorLog: slog.NewLogLogger(o.Web.Log.Handler(), slog.LevelDebug), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	serve := server.Serve
	if o.TLS != nil {
		n.URL = "https://" + n.Addr
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := n.Hub.Run(ctx); err != nil {
			t.Errorf("the hub ended: %v", err)
		}
	})
	running.Go(func() {
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended: %v", err)
		}
	})
	n.stop = sync.OnceFunc(func() {
		closing, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		_ = server.Close()
		n.Cut()
		_ = n.Streams.Close(closing, 0)
		cancel()
		running.Wait()
	})
	t.Cleanup(n.stop)
	if o.Over == nil {
		<-n.Hub.Ready()
	}
	return n
}

// Stop ends the node at once, as a crash would: its clients' connections
// break, and a store of its own is gone.
func (n *Node) Stop() { n.stop() }

// Cut breaks all connections to the node, which itself goes on.
func (n *Node) Cut() {
	n.Streams.Cut()
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		_ = c.Close()
	}
}

func (n *Node) track(c net.Conn, state http.ConnState) {
	n.Web.ConnState(c, state)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch state {
	case http.StateNew:
		n.conns[c] = struct{}{}
	case http.StateClosed:
		delete(n.conns, c)
	}
}
