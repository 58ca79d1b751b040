package redisbus

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"tickertape/internal/event"
)

// Options are the settings of a Bus. Zero fields mean the defaults.
type Options struct {
	// URL is redis://user:password@host:port/database, rediss:// for TLS,
	// redis+sentinel://user:password@host:port,host:port/name/database, or
	// redis+cluster://user:password@host:port,host:port.
	URL          string
	Prefix       string          // of all keys and channels. DefaultPrefix
	Retention    event.Retention // of each topic; the same for all nodes
	Rules        event.Rules     // what is kept of topics; the same for all nodes
	RememberKeys time.Duration   // how long idempotency keys are remembered. 5 min
	// RememberProducers is how long a producer's number is remembered after
	// its last message. 24 h
	RememberProducers time.Duration
	MaxTopics         int           // that there may be at once; a publish that would begin one more is refused. 1,000,000
	Beat              time.Duration // how often the node makes itself heard. 1 s
	// Dial makes each connection to Redis; TLS, where the URL asks for it, is
	// laid over it. nil: as net.Dialer does
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Random draws a number from 0 to below n, for what has to differ from
	// node to node. nil: as math/rand does; a simulation repeats its own
	Random func(n int64) int64
	Log    *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	o.Retention = o.Retention.WithDefaults()
	if o.RememberKeys == 0 {
		o.RememberKeys = 5 * time.Minute
	}
	if o.RememberProducers == 0 {
		o.RememberProducers = 24 * time.Hour
	}
	if o.MaxTopics == 0 {
		o.MaxTopics = 1_000_000
	}
	if o.Beat == 0 {
		o.Beat = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Random == nil {
		o.Random = rand.Int64N
	}
	return o
}
