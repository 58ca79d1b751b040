package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"tickertape/internal/hub"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

// ownedBus is a bus that this process has opened.
type ownedBus struct {
	hub.Bus
	rulesDiffer func() bool // nil: no other node shares it
	// shared says that other nodes have this bus too: they can take the
	// clients over, and deliver what is published here until the end.
	shared bool
	// close may be called more than once.
	close func()
}

// node is everything that ends with the process.
type node struct {
	bus     ownedBus
	hub     *hub.Hub
	streams *stream.Server
	web     *web.Server
	server  *http.Server
	scheme  string // that its URLs begin with
	admin   *admin // nil: there is none
	log     *slog.Logger
}

// drain says how gently a node sends its clients away.
type drain struct {
	wait   time.Duration // until balancers have seen that it is not ready
	window time.Duration // over which the streams end
}

// What a node takes to end besides its drain: for clients that take nothing,
// then for the requests in flight.
const (
	closeTime    = 3 * time.Second
	shutdownTime = 6 * time.Second // net/http takes a new connection for busy for 5 s
)

// serve serves until ctx ends, or something fails, and returns when all has
// ended. SIGTERM as ctx's cause asks for the drain, any other one for haste.
func (n *node) serve(ctx context.Context, listener net.Listener, d drain) error {
	if !n.bus.shared {
		d = drain{} // nobody could take the clients over
	}
	// The hub outlives ctx: streams are closed and publishes in flight
	// finished while it still runs.
	hubCtx, endHub := context.WithCancel(context.WithoutCancel(ctx))
	defer endHub()
	g, failed := errgroup.WithContext(context.WithoutCancel(ctx))
	g.Go(n.admin.serve)
	g.Go(func() error { return n.hub.Run(hubCtx) })
	g.Go(func() error { return serveAll(n.server, listener, n.scheme == "https") })
	g.Go(func() error {
		defer n.admin.end() // last: what becomes of the drain can be read
		defer endHub()
		select {
		case <-ctx.Done():
		case <-failed.Done():
		}
		if context.Cause(ctx) != (signalled{syscall.SIGTERM}) {
			d = drain{}
		}
		return n.end(failed, d)
	})
	n.log.Info(fmt.Sprintf("Tickertape listens on %s://%s; bus: %s", n.scheme, listener.Addr(), n.bus.Name()))
	return g.Wait()
}

// end is not ready first, goes on as before until balancers have seen that,
// sends every stream's client away with advice when to come back, and waits
// for the requests in flight. Those that would go on publishing are told at
// once how far they came. A failure ends the waiting.
func (n *node) end(failed context.Context, d drain) error {
	n.web.Drain()
	if !n.bus.shared {
		// What is acknowledged from here on nobody would hear of.
		n.bus.close()
	}
	n.log.Info("ending", slog.String("wait", d.wait.String()), slog.String("window", d.window.String()), slog.Int("streams", n.streams.Open()))
	select {
	case <-time.After(d.wait):
	case <-failed.Done():
		d.window = 0
	}
	n.web.EndStreams()
	ctx := context.WithoutCancel(failed)
	closing, cancel := context.WithTimeout(ctx, d.window+closeTime)
	defer cancel()
	if err := n.streams.Close(closing, d.window); err != nil {
		n.log.Warn("some clients are cut off", slog.Any("error", err))
	}
	ending, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	if err := n.server.Shutdown(ending); err != nil {
		n.log.Warn("some requests are cut off", slog.Any("error", err))
		return n.server.Close()
	}
	return nil
}
