//go:build linux

package cases

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"tickertape/bench/internal/load"
	"tickertape/bench/internal/server"
)

const (
	growthRate = 20_000 // deliveries a second
	burstsRate = 20     // bursts a second, if there are so many messages
	flat       = "largest over smallest"
)

// errTooShort says that what publishes cost and what all costs were too close
// to each other.
var errTooShort = errors.New("measured for too short a time")

func growth() Case {
	return Case{
		Name:    "growth",
		Title:   "CPU per delivery at connections × topics, 20,000 deliveries a second in 20 bursts at most, in memory; without what the publishes cost",
		Servers: []string{server.Hub, server.Floor},
		Goals:   []Goal{value("CPU per delivery flat within 20 %", flat, 1.2)},
		Compare: Comparison{"CPU per delivery of the hub", cells()},
		measure: measureGrowth,
	}
}

func sizes() (connections, topics []int) { return []int{1000, 5000, 15_000}, []int{1, 100, 10_000} }

func cell(connections, topics int) string {
	return thousands(connections) + " × " + thousands(topics)
}

// thousands writes a number below a million.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

func cells() (names []string) {
	connections, topics := sizes()
	for _, n := range connections {
		for _, t := range topics {
			names = append(names, cell(n, t))
		}
	}
	return names
}

func measureGrowth(ctx context.Context, s *stage) (figures []Figure, err error) {
	if err := s.known(); err != nil {
		return nil, err
	}
	connections, topics := sizes()
	lowest, highest, busy := math.Inf(1), 0.0, 0.0
	var publishes []Figure
	for _, n := range connections {
		for _, t := range topics {
			name := cell(n, t)
			g, err := s.grow(ctx, s.size.of(n), s.size.of(t))
			if err != nil {
				return figures, fmt.Errorf("%s: %w", name, err)
			}
			figures = append(figures, Figure{name, "µs", g.delivery})
			publishes = append(publishes, Figure{"a publish, " + name, "µs", g.publish})
			lowest, highest, busy = min(lowest, g.delivery), max(highest, g.delivery), max(busy, g.busy)
		}
	}
	figures = append(figures, publishes...)
	if lowest <= 0 {
		return figures, fmt.Errorf("%w: a delivery of %.2f µs", errTooShort, lowest)
	}
	return append(figures, Figure{flat, "×", highest / lowest}, Figure{toolBusy, "%", 100 * busy}), nil
}

// grown is what was measured at one number of connections and of topics.
type grown struct {
	delivery, publish float64 // microseconds of CPU
	busy              float64 // the tool
}

// grow measures one of the cells. All topics exist; messages go to those that
// somebody listens to. What a message costs without listeners is measured
// first, on topics of its own: connecting leaves work behind.
func (s *stage) grow(ctx context.Context, connections, topics int) (g grown, err error) {
	if err := s.renew(ctx); err != nil { // nothing is left of the cell before
		return g, err
	}
	heard := min(connections, topics)
	d, err := s.drive(topics+heard, 8, 0)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	streams := s.server.Target.Stream != ""
	if err := d.Publish(ctx, load.Flow{Topics: topics + heard, Count: topics + heard, Stream: streams}); err != nil {
		return g, err
	}
	rate := growthRate * float64(heard) / float64(connections)
	flow := load.Flow{First: topics, Topics: heard, For: s.size.Time / 4, Rate: rate, Burst: int(rate / burstsRate), Stream: streams}
	silent, err := s.publish(ctx, d, flow)
	if err != nil {
		return g, err
	}
	if err := d.Subscribe(ctx, connections, func(i int) int { return i % heard }); err != nil {
		return g, err
	}
	if err := pause(ctx, s.size.Time/8); err != nil {
		return g, err
	}
	flow.First = 0
	o, err := s.publish(ctx, d, flow)
	if err != nil {
		return g, err
	}
	g.publish, g.busy = micros(silent.CPU, silent.Taken), o.busy
	g.delivery = o.perDelivery() - g.publish*float64(o.Taken)/float64(max(o.Deliveries, 1))
	return g, nil
}
