// Package metrics shows what a node counts to Prometheus. It is the only
// package that knows Prometheus: the others keep counters of their own, which
// it reads when it is asked. docs/metrics.md says what each metric means.
//
// No label has values that clients or publishers choose, so that the number of
// time series is bounded: there is none for topics.
package metrics

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

// Metrics are those of one node.
type Metrics struct {
	registry *prometheus.Registry
	publish  *prometheus.HistogramVec
	delivery prometheus.Histogram
}

// New returns metrics that know of the process only, until Watch.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(),
		publish: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tickertape_publish_duration_seconds",
			Help:    "How long the bus takes for a publish, from the hub's request to the answer, whatever that is.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"bus"}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tickertape_delivery_delay_seconds",
			Help:    "How long ago the oldest event of a batch was published when the batch was written to a stream that is up to date.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "tickertape_build_info", Help: "1, with the version of the hub and of Go.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()}})
	build.Set(1)
	m.registry.MustRegister(build, m.publish, m.delivery, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Delivered takes in how late a batch of events was written. It is meant for
// stream.Options.Delay.
func (m *Metrics) Delivered(delay time.Duration) { m.delivery.Observe(max(0, delay.Seconds())) }

// Publisher returns the bus with its publishes timed.
func (m *Metrics) Publisher(bus hub.Bus) hub.Bus {
	return timed{bus, m.publish.WithLabelValues(kindOf(bus))}
}

// timed is a bus whose publishes are timed.
type timed struct {
	hub.Bus
	took prometheus.Observer
}

// Publish implements hub.Bus.
func (t timed) Publish(ctx context.Context, messages []event.Message) ([]event.Receipt, error) {
	begin := time.Now()
	defer func() { t.took.Observe(time.Since(begin).Seconds()) }()
	return t.Bus.Publish(ctx, messages)
}

// Node is what is watched.
type Node struct {
	Bus     hub.Bus // as it was opened
	Hub     *hub.Hub
	Streams *stream.Server
	Web     *web.Server
	// Certificate tells how long the node's own holds; nil: it has none.
	Certificate func() time.Duration
}

// Watch adds a node's metrics. It fails if there is one already.
func (m *Metrics) Watch(n Node) error { return m.registry.Register(collector{n}) }

// Handler answers with all metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
