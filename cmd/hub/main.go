// Command hub runs one Tickertape node.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/metrics"
	"tickertape/internal/redisbus"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

// version is set by the linker.
var version = "development"

func main() { os.Exit(start()) }

// start does what the command line says, and returns the exit status. Nearly
// always that is to serve: so its flags are the program's own.
func start() int {
	if len(os.Args) > 1 && os.Args[1] == checkName {
		return checkConfig(os.Args[2:])
	}
	var s settings
	kong.Parse(&s, kong.Name("hub"), kong.Vars{"version": version}, kong.UsageOnError(),
		kong.Description("Tickertape: broadcasts what is published to browsers, over Server-Sent Events.\n\n"+
			`"hub check-config FILE" says what a configuration file means, and does nothing else.`))
	return serve(s)
}

// serve runs a node until a signal ends it, and returns the exit status.
func serve(s settings) int {
	relax()
	log := s.logger().With(slog.String("node", uuid.NewString()))
	ctx, stop := untilSignal()
	defer stop()
	says, err := readConfig(s.Config)
	if err != nil {
		log.Error("--config (HUB_CONFIG)", slog.Any("error", err))
		return 1
	}
	if err := s.checkReach(says); err != nil {
		log.Error("the hub would be open to everybody", slog.Any("error", err))
		return 1
	}
	bus, err := openBus(s, says.rules, log)
	if err != nil {
		log.Error("no bus", slog.Any("error", err))
		return 1
	}
	defer bus.close()
	if err := run(ctx, s, says, bus, log); err != nil {
		log.Error("the hub ended", slog.Any("error", err))
		return 1
	}
	log.Info("ended in order")
	return 0
}

// openBus opens the bus that the settings ask for.
func openBus(s settings, rules event.Rules, log *slog.Logger) (ownedBus, error) {
	retention := event.Retention{Messages: s.RetainMessages, Bytes: int(s.RetainBytes), Age: s.RetainAge}
	if s.Redis == "" {
		bus := membus.New(membus.Options{MaxBytes: int(s.Memory), Retention: retention, MaxTopics: s.Limits.MaxTopics, Rules: rules})
		return ownedBus{Bus: bus, close: bus.Close}, nil
	}
	bus, err := redisbus.Open(redisbus.Options{URL: s.Redis, Prefix: s.RedisPrefix, Retention: retention, MaxTopics: s.Limits.MaxTopics, Rules: rules, Log: log})
	if err != nil {
		return ownedBus{}, fmt.Errorf("--redis (HUB_REDIS): %w", err)
	}
	return ownedBus{Bus: bus, shared: true, rulesDiffer: bus.RulesDiffer, close: bus.Close}, nil
}

// spareFiles are left for everything that is not a stream; more than keptFiles.
const spareFiles = 64

// run serves until ctx ends.
func run(ctx context.Context, s settings, says config, bus ownedBus, log *slog.Logger) error {
	cert, err := s.TLS.open(log)
	if err != nil {
		return err
	}
	authority, err := says.open(log)
	if err != nil {
		return err
	}
	defer authority.Close()
	m := metrics.New(version)
	h := hub.New(bus, hub.Options{Rules: says.rules})
	// A quiet stream's cursor must be renewed before what it names expires.
	streams := stream.NewServer(h, stream.Options{MaxStreams: min(s.Limits.MaxStreams, maxOpenFiles()-spareFiles), Lifetime: s.Limits.StreamLifetime, Writer: s.Writer,
		CursorEvery: min(5*time.Minute, s.RetainAge/2), Delay: m.Delivered})
	handler, err := web.New(h, m.Publisher(bus.Bus), streams, web.Options{PublishOrigins: s.PublishOrigins, RulesDiffer: bus.rulesDiffer, Authority: authority, Limits: s.Limits.web(), Log: log})
	if err != nil {
		return err
	}
	if err := m.Watch(metrics.Node{Bus: bus.Bus, Hub: h, Streams: streams, Web: handler, Certificate: cert.watch()}); err != nil {
		return err
	}
	listener, err := stream.Listen(ctx, s.Addr)
	if err != nil {
		return fmt.Errorf("--addr (HUB_ADDR): %w", err)
	}
	admin, err := openAdmin(s.AdminAddr, m.Handler(), log)
	if err != nil {
		_ = listener.Close()
		return err
	}
	n := &node{bus: bus, hub: h, streams: streams, web: handler, server: newServer(handler, cert, log), scheme: cert.scheme(), admin: admin, log: log}
	return n.serve(ctx, noisy{listener, log, maxOpenFiles() - keptFiles}, drain{wait: s.DrainWait, window: s.DrainWindow})
}
