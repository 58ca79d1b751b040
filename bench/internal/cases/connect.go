//go:build linux

package cases

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tickertape/bench/internal/load"
	"tickertape/bench/internal/server"
)

const (
	memory      = "memory per connection"
	connectCPU  = "CPU per connect"
	replayCPU   = "CPU, replayed"
	liveCPU     = "CPU, live"
	replayRatio = "replayed over live"
	replayTime  = "until all had everything"
)

func idle() Case {
	return Case{
		Name: "idle", Title: "15,000 idle connections to 1 topic",
		Servers: []string{server.Hub, server.Floor, server.Nchan},
		Goals: []Goal{
			value("memory per connection ≤ 2 KB", memory, 2),
			ratio("CPU per connect ≤ 1.5 × Nchan's", connectCPU, server.Nchan, 1.5),
		},
		Chart:   []string{memory, connectCPU},
		measure: measureIdle,
	}
}

func toTheOnly(int) (topic int) { return 0 }

func measureIdle(ctx context.Context, s *stage) (figures []Figure, err error) {
	if err := s.known(); err != nil {
		return nil, err
	}
	d, err := s.drive(1, 1, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	// What only the first connections need is not these connections'.
	if err := d.Subscribe(ctx, s.size.of(200), toTheOnly); err != nil {
		return nil, err
	}
	d.Leave()
	n := s.size.of(15_000)
	rest := s.size.Time / 4
	if err := pause(ctx, rest); err != nil {
		return nil, err
	}
	d.Begin()
	o, err := s.watch(func() error { return d.Subscribe(ctx, n, toTheOnly) })
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, rest); err != nil {
		return nil, err
	}
	after, err := s.server.Usage()
	if err != nil {
		return nil, err
	}
	// Its memory at rest, without the usage that was taken right behind the
	// last connect.
	grown := o.PSS + after.PSS - o.after.PSS
	s.wrong = s.wrong.Add(d.Verdict())
	return o.withTool([]Figure{
		{memory, "KB", float64(grown) / 1000 / float64(n)},
		{connectCPU, "µs", micros(o.CPU, uint64(n))},
	}), nil
}

func comeback() Case {
	return Case{
		Name: "comeback", Title: "5,000 clients back at once, each with 200 missed events of 1 topic, in memory; CPU per event",
		Servers: []string{server.Hub, server.Nchan},
		Goals: []Goal{
			value("CPU per replayed event ≤ 0.3 × a live delivery's", replayRatio, 0.3),
		},
		Compare: Comparison{"CPU per event of the hub", []string{replayCPU, liveCPU}},
		measure: measureComeback,
	}
}

const missed = 200

// measureComeback takes what connecting costs those who missed nothing off
// what it costs those who did.
func measureComeback(ctx context.Context, s *stage) (figures []Figure, err error) {
	if err := s.known(); err != nil {
		return nil, err
	}
	n := s.size.of(5000)
	d, err := s.drive(1, 1, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	from, err := d.Cursor(ctx, 0)
	if err != nil {
		return nil, err
	}
	if err := d.Publish(ctx, load.Flow{Topics: 1, Count: missed}); err != nil {
		return nil, err
	}
	replay, err := s.comeBack(ctx, d, n, from)
	if err != nil {
		return nil, fmt.Errorf("coming back: %w", err)
	}
	d.Leave()
	connects, err := s.watch(func() error { return d.Subscribe(ctx, n, toTheOnly) })
	if err != nil {
		return nil, err
	}
	live, err := s.publish(ctx, d, load.Flow{Topics: 1, For: s.size.Time / 2, Rate: 8})
	if err != nil {
		return nil, err
	}
	replayed := micros(replay.CPU-connects.CPU, replay.Deliveries)
	return replay.withTool([]Figure{
		{replayCPU, "µs", replayed},
		{liveCPU, "µs", live.perDelivery()},
		{replayRatio, "×", replayed / live.perDelivery()},
		{connectCPU, "µs", micros(connects.CPU, uint64(n))},
		{replayTime, "s", replay.Span.Seconds()},
	}), nil
}

// comeBack measures clients that resume from a cursor.
func (s *stage) comeBack(ctx context.Context, d *load.Driver, n int, from load.Cursor) (outcome, error) {
	d.Begin()
	began := time.Now()
	o, err := s.watch(func() error {
		if err := d.Resume(ctx, n, 0, from); err != nil {
			return err
		}
		return d.Settle(ctx)
	})
	o.Count = d.Count()
	o.Span = time.Since(began)
	s.wrong = s.wrong.Add(d.Verdict())
	return o, err
}
