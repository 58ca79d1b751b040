//go:build linux

package cases

import (
	"context"
	"errors"

	"tickertape/bench/internal/load"
	"tickertape/bench/internal/server"
)

// Names of figures.
const (
	cpuPerDelivery = "CPU per delivery"
	deliveryRate   = "deliveries"
	messageRate    = "messages taken"
	latencyHalf    = "p50"
	latencyMost    = "p99"
	redisCPU       = "Redis CPU per message"
	toolBusy       = "the tool's core"
)

// figures returns those that all live cases have.
func (o outcome) figures() []Figure {
	return []Figure{
		{deliveryRate, "/s", o.rate()},
		{messageRate, "/s", float64(o.Taken) / o.Span.Seconds()},
		{latencyHalf, "ms", millis(o.P50)},
		{latencyMost, "ms", millis(o.P99)},
	}
}

// withCPU returns them with what the server and its Redis took, if that is
// known.
func (o outcome) withCPU(figures []Figure, known bool) []Figure {
	if known {
		figures = append([]Figure{{cpuPerDelivery, "µs", o.perDelivery()}}, figures...)
	}
	if o.Redis > 0 {
		figures = append(figures, Figure{redisCPU, "µs", micros(o.Redis, o.Taken)})
	}
	return figures
}

func (o outcome) withTool(figures []Figure) []Figure {
	return append(figures, Figure{toolBusy, "%", 100 * o.busy})
}

// live measures a flow to topics with the same number of subscribers each.
func live(topics, each, lanes int, flow load.Flow) func(context.Context, *stage) ([]Figure, error) {
	return func(ctx context.Context, s *stage) (figures []Figure, err error) {
		topics, each := s.size.of(topics), s.size.of(each)
		d, err := s.drive(topics, lanes, 0)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, d.Close()) }()
		if err := d.Subscribe(ctx, topics*each, func(i int) int { return i % topics }); err != nil {
			return nil, err
		}
		flow := flow
		flow.Topics, flow.For = topics, s.size.Time
		o, err := s.publish(ctx, d, flow)
		if err != nil {
			return nil, err
		}
		return o.withTool(o.withCPU(o.figures(), s.server.Known())), nil
	}
}

func fanout() Case {
	return Case{
		Name: "fanout", Title: "1,000 subscribers of 1 topic, 40 messages a second of 128 bytes, in memory",
		Servers: []string{server.Hub, server.Floor, server.Nchan},
		Goals: []Goal{
			ratio("CPU per delivery ≤ 1.25 × the floor's", cpuPerDelivery, server.Floor, 1.25),
			ratio("CPU per delivery ≤ 0.75 × Nchan's", cpuPerDelivery, server.Nchan, 0.75),
			ratio("p50 ≤ Nchan's", latencyHalf, server.Nchan, 1),
			ratio("p99 ≤ Nchan's", latencyMost, server.Nchan, 1),
		},
		Chart:   []string{cpuPerDelivery, latencyMost},
		measure: live(1, 1000, 4, load.Flow{Rate: 40}),
	}
}

func redis() Case {
	return Case{
		Name: "redis", Title: "20 topics of 50 subscribers, 64 publishes in flight, through Redis on the same core",
		Redis: true, Servers: []string{server.Hub, server.Floor, server.Nchan},
		Goals: []Goal{
			least(ratio("deliveries/s ≥ 1.5 × Nchan's", deliveryRate, server.Nchan, 1.5)),
			ratio("p99 ≤ Nchan's", latencyMost, server.Nchan, 1),
		},
		Chart:   []string{deliveryRate, latencyMost},
		measure: live(20, 50, 64, load.Flow{}),
	}
}

func burst() Case {
	return Case{
		Name: "burst", Title: "1,000 subscribers of 1 topic, 5,000 messages a second offered, in memory",
		Servers: []string{server.Hub, server.Floor, server.Nchan},
		Goals: []Goal{
			least(ratio("deliveries/s ≥ 5 × the floor's", deliveryRate, server.Floor, 5)),
			value("p99 ≤ 500 ms", latencyMost, 500),
		},
		Chart:   []string{deliveryRate, latencyMost},
		measure: live(1, 1000, 64, load.Flow{Rate: 5000}),
	}
}

func topics() Case {
	return Case{
		Name: "topics", Title: "1,000 topics of 1 subscriber, 64 publishes in flight, through Redis on the same core",
		Redis: true, Servers: []string{server.Hub, server.Floor, server.Nchan},
		Goals:   []Goal{least(ratio("messages/s ≥ 2 × Nchan's", deliveryRate, server.Nchan, 2))},
		Chart:   []string{deliveryRate},
		measure: live(1000, 1, 64, load.Flow{}),
	}
}
