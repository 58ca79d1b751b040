// Command hub runs one Tickertape node.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

// version is set by the linker.
var version = "development"

func main() {
	var s settings
	kong.Parse(&s, kong.Name("hub"), kong.Vars{"version": version}, kong.UsageOnError(),
		kong.Description("Tickertape: broadcasts what is published to browsers, over Server-Sent Events."))
	log := s.logger().With(slog.String("node", uuid.NewString()))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends the node in order, the second one at once.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, s, log); err != nil {
		log.Error("the hub ended", slog.Any("error", err))
		os.Exit(1)
	}
}

// How long a node takes to end: first its streams, then requests in flight.
const (
	closeTime    = 3 * time.Second
	shutdownTime = 6 * time.Second // net/http takes a new connection for busy for 5 s
)

// spareFiles are left for everything that is not a stream.
const spareFiles = 64

// run serves until ctx ends.
func run(ctx context.Context, s settings, log *slog.Logger) error {
	bus := membus.New(membus.Options{MaxBytes: int(s.Memory), Retention: event.Retention{
		Messages: s.RetainMessages, Bytes: int(s.RetainBytes), Age: s.RetainAge}})
	h := hub.New(bus, hub.Options{})
	// A quiet stream's cursor must be renewed before what it names expires.
	streams := stream.NewServer(h, stream.Options{MaxStreams: min(s.MaxStreams, maxOpenFiles()-spareFiles), CursorEvery: min(5*time.Minute, s.RetainAge/2)})
	handler, err := web.New(h, bus, streams, web.Options{PublishOrigins: s.PublishOrigins, Log: log})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Addr)
	if err != nil {
		return err
	}
	listener = noisy{listener, log}
	server := &http.Server{Handler: handler, ConnContext: stream.Tune, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}

	// The hub outlives ctx: streams are closed and publishes in flight
	// finished while it still runs.
	hubCtx, endHub := context.WithCancel(context.WithoutCancel(ctx))
	defer endHub()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.Run(hubCtx) })
	g.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		defer endHub()
		// What is acknowledged from here on nobody would hear of.
		bus.Close()
		return shutdown(context.WithoutCancel(ctx), server, streams, log)
	})
	log.Info(fmt.Sprintf("Tickertape listens on http://%s; bus: %s", listener.Addr(), bus.Name()))
	if err := g.Wait(); err != nil {
		return err
	}
	log.Info("ended in order")
	return nil
}

// shutdown sends every stream's client away with advice when to come back,
// then waits for the requests in flight.
func shutdown(ctx context.Context, server *http.Server, streams *stream.Server, log *slog.Logger) error {
	closing, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	if err := streams.Close(closing, 0); err != nil {
		log.Warn("some clients are cut off", slog.Any("reason", err))
	}
	ending, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		log.Warn("some requests are cut off", slog.Any("reason", err))
		return server.Close()
	}
	return nil
}
