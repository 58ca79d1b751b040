//go:build linux

package cases

import (
	"context"
	"errors"
	"math"

	"tickertape/bench/internal/load"
	"tickertape/bench/internal/server"
)

const (
	postRate    = "single POSTs"
	streamRate  = "one stream"
	streamRedis = "Redis, one stream"
	postRedis   = "Redis, single POSTs"
)

// behind is how many deliveries may be on their way in a case that asks how
// fast messages come in: more would not be kept for a slow reader.
const behind = 4000

func stream() Case {
	return Case{
		Name: "stream", Title: "1 topic of 1 subscriber through Redis on the same core: 64 POSTs in flight, then one NDJSON stream; deliveries a second, and Redis' CPU per message",
		Redis: true, Servers: []string{server.Hub},
		Goals: []Goal{
			least(Goal{Text: "the stream's rate ≥ 10 × that of single POSTs", Limit: 10, value: func(m Medians) float64 {
				return m.of(server.Hub, streamRate) / m.of(server.Hub, postRate)
			}}),
			value("Redis CPU per message of the stream ≤ 4 µs", streamRedis, 4),
		},
		Compare: Comparison{"deliveries of the hub", []string{postRate, streamRate}},
		measure: measureStream,
	}
}

func measureStream(ctx context.Context, s *stage) (figures []Figure, err error) {
	d, err := s.drive(1, 64, behind)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Subscribe(ctx, 1, func(int) int { return 0 }); err != nil {
		return nil, err
	}
	busy := 0.0
	for _, f := range []struct {
		stream      bool
		rate, redis string
	}{{false, postRate, postRedis}, {true, streamRate, streamRedis}} {
		o, err := s.publish(ctx, d, load.Flow{Topics: 1, For: s.size.Time, Stream: f.stream})
		if err != nil {
			return nil, err
		}
		figures = append(figures, Figure{f.rate, "/s", o.rate()}, Figure{f.redis, "µs", micros(o.Redis, o.Taken)})
		busy = math.Max(busy, o.busy)
	}
	return append(figures, Figure{toolBusy, "%", 100 * busy}), nil
}
