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
	flat       = "largest over smallest"
)

// errTooShort says that what publishes cost and what all costs were too close
// to each other.
var errTooShort = errors.New("measured for too short a time")

func growth() Case {
	return Case{
		Name:    "growth",
		Title:   "CPU per delivery at connections × topics, 20,000 deliveries a second, in memory; without what the publishes cost",
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
	connections, topics := sizes()
	lowest, highest, busy := math.Inf(1), 0.0, 0.0
	for _, n := range connections {
		for _, t := range topics {
			each, tool, err := s.growthCell(ctx, s.size.of(n), s.size.of(t))
			if err != nil {
				return figures, fmt.Errorf("%s: %w", cell(n, t), err)
			}
			figures = append(figures, Figure{cell(n, t), "µs", each})
			lowest, highest, busy = min(lowest, each), max(highest, each), max(busy, tool)
		}
	}
	if lowest <= 0 {
		return figures, fmt.Errorf("%w: a delivery of %.2f µs", errTooShort, lowest)
	}
	return append(figures, Figure{flat, "×", highest / lowest}, Figure{toolBusy, "%", 100 * busy}), nil
}

// growthCell returns the CPU of a delivery, and how busy the tool was. All
// topics exist; messages go to those that somebody listens to. What a message
// costs without listeners is measured first, on topics of its own.
func (s *stage) growthCell(ctx context.Context, connections, topics int) (each, busy float64, err error) {
	heard := min(connections, topics)
	d, err := s.drive(topics+heard, 8, 0)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	streams := s.server.Target.Stream != ""
	if err := d.Publish(ctx, load.Flow{Topics: topics + heard, Count: topics + heard, Stream: streams}); err != nil {
		return 0, 0, err
	}
	rate := growthRate * float64(heard) / float64(connections)
	if err := d.Subscribe(ctx, connections, func(i int) int { return i % heard }); err != nil {
		return 0, 0, err
	}
	flow := load.Flow{First: topics, Topics: heard, For: s.size.Time / 4, Rate: rate, Stream: streams}
	silent, err := s.publish(ctx, d, flow)
	if err != nil {
		return 0, 0, err
	}
	flow.First = 0
	o, err := s.publish(ctx, d, flow)
	if err != nil {
		return 0, 0, err
	}
	publishes := float64(silent.CPU) * float64(o.Taken) / float64(max(silent.Taken, 1))
	return micros(o.CPU, o.Deliveries) - publishes/1000/float64(max(o.Deliveries, 1)), o.busy, nil
}
