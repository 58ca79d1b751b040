package metrics

import (
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/redisbus"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

// collector reads a node's counters when it is asked. Counters with labels
// have all their values from the start, so that the first one of its kind is
// seen to rise.
type collector struct{ Node }

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	out := emitter(to)
	out.streams(c.Streams.Stats())
	stats := c.Hub.Stats()
	out.hub(stats)
	out.ends(stats)
	out.publishes(c.Web.PublishStats())
	for limit, n := range c.Web.LimitStats() {
		out.counter("limited", "Requests and connections that ended at a limit.", n, "limit", limit)
	}
	out.counter("panics", "Panics that were caught: each ended one request or one stream.", c.Web.Panics())
	out.flag("bus_ready", "Whether the bus works: 1, or 0; /readyz says why not.", c.Bus.Ready() == nil)
	if c.Certificate != nil {
		out.gauge("tls_certificate_expiry_seconds", "How long the certificate still holds that new connections are shown.", c.Certificate().Seconds())
	}
	switch bus := c.Bus.(type) {
	case *redisbus.Bus:
		out.redis(bus.Stats())
		out.flag("redis_rules_differ", "Whether another node of this Redis has other rules: 1, or 0.", bus.RulesDiffer())
	case *membus.Bus:
		out.memory(bus.Stats())
	}
}

// kindOf names a kind of bus.
func kindOf(bus hub.Bus) string {
	if _, ok := bus.(*redisbus.Bus); ok {
		return "redis"
	}
	return "memory"
}

// emitter writes metrics. Labels are pairs of a name and a value.
type emitter chan<- prometheus.Metric

func (out emitter) gauge(name, help string, value float64) {
	out.emit(prometheus.GaugeValue, name, help, value)
}

func (out emitter) flag(name, help string, set bool) {
	value := 0.0
	if set {
		value = 1
	}
	out.gauge(name, help, value)
}

func (out emitter) counter(name, help string, value uint64, labels ...string) {
	out.emit(prometheus.CounterValue, name+"_total", help, float64(value), labels...)
}

func (out emitter) emit(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
	var names, values []string
	for pair := range slices.Chunk(labels, 2) {
		names, values = append(names, pair[0]), append(values, pair[1])
	}
	out <- prometheus.MustNewConstMetric(prometheus.NewDesc("tickertape_"+name, help, names, nil), kind, value, values...)
}

func (out emitter) streams(s stream.Stats) {
	const opened = "Streams that were opened; resumed: whether from a client's own cursor."
	out.gauge("streams", "Streams that are open.", float64(s.Open))
	out.counter("streams_opened", opened, s.Opened, "resumed", "false")
	out.counter("streams_opened", opened, s.Resumed, "resumed", "true")
	for reason, n := range s.Ended {
		out.counter("streams_ended", "Streams that have ended, by reason.", n, "reason", reason)
	}
	for reason, n := range s.Away {
		out.counter("streams_sent_away", "Clients that were told to come back later instead of getting a stream, by reason.", n, "reason", reason)
	}
	out.counter("events_delivered", "Events written to streams: each counts once for each stream.", s.Events)
	out.counter("delivered_bytes", "Bytes written to streams, with the hub's own events and signs of life.", s.Bytes)
}

func (out emitter) hub(s hub.Stats) {
	const reads = "Reads of the history because a stream was behind this node's logs, by outcome."
	out.gauge("topics", "Topics of which this node has a log, because somebody here listens or did lately.", float64(s.Topics))
	out.gauge("log_bytes", "About the memory that all logs take.", float64(s.LogBytes))
	out.gauge("page_bytes", "About the memory that shared pages of the history take.", float64(s.PageBytes))
	out.gauge("feed_lag_seconds", "How far this node's logs are behind its own clock.", s.Lag.Seconds())
	out.gauge("epoch", "Number of the store's epoch; 0 until the node has heard from its bus.", float64(s.Epoch))
	out.counter("catch_up_reads", reads, s.Reads-s.FailedReads, "outcome", "ok")
	out.counter("catch_up_reads", reads, s.FailedReads, "outcome", "failed")
	out.counter("repairs", "Breaks in what the node heard that were bridged from the history.", s.Repairs)
	for reason, n := range s.Gaps {
		out.counter("gaps", "Gaps that streams were told of, by reason.", n, "reason", string(reason))
	}
}

func (out emitter) ends(s hub.Stats) {
	for status, n := range s.Ends {
		out.counter("topics_ended", "Topics of which this node heard that they have ended, by status.", n, "status", string(status))
	}
}

func (out emitter) publishes(s web.PublishStats) {
	for _, body := range [...]string{web.BodyJSON, web.BodyRaw, web.BodyNDJSON, web.BodySSE, web.BodyEnd} {
		for _, outcome := range [...]string{web.Stored, web.Duplicate, web.Refused, web.NotStored, web.Unknown} {
			out.counter("messages_published", "Messages that were handed to the bus, by kind of body and outcome.",
				s.Messages[web.Messages{Body: body, Outcome: outcome}], "body", body, "outcome", outcome)
		}
	}
	out.counter("table_refusals", "Messages refused since a table has as many keys or bytes as it may.", s.FullTables)
	out.counter("publish_slowed", "Parts of streams that had to wait, since their publisher is faster than it may.", s.Slowed)
	out.gauge("intake_bytes", "Bytes of unfinished messages of all streams in, but for 64 KiB of each.", float64(s.Unfinished))
	out.gauge("streams_in", "Publish requests whose body is a stream that is still open.", float64(s.Open))
	if len(s.Requests) == 0 {
		s.Requests = map[web.Requests]uint64{{Body: web.BodyJSON, Code: 200}: 0}
	}
	for r, n := range s.Requests {
		out.counter("publish_requests", "Publish requests that were answered, by kind of body and status.",
			n, "body", r.Body, "code", strconv.Itoa(r.Code))
	}
}

func (out emitter) redis(s redisbus.Stats) {
	const reconnects, beats = "Connections to Redis that were made anew, by use.", "Beats that this node sent through Redis, by outcome."
	out.counter("redis_reconnects", reconnects, s.LaneReconnects, "connection", "lane")
	out.counter("redis_reconnects", reconnects, s.WireReconnects, "connection", "wire")
	out.counter("redis_beats", beats, s.BeatsAccepted, "outcome", "accepted")
	out.counter("redis_beats", beats, s.BeatsFailed, "outcome", "failed")
	out.counter("redis_announcements", "Announcements heard through Redis: of events, losses and beats of all nodes.", s.Heard)
	out.counter("redis_losses_reported", "Topics of which this node has told Redis that events are lost.", s.Reports)
	out.gauge("redis_waiting_publishes", "Publishes that wait to be sent to Redis.", float64(s.Waiting))
}

func (out emitter) memory(s membus.Stats) {
	out.gauge("memory_topics", "Topics that are kept in memory.", float64(s.Topics))
	out.gauge("memory_bytes", "Bytes of all topics that are kept in memory.", float64(s.Bytes))
	out.gauge("memory_limit_bytes", "Bytes over which publishing is refused.", float64(s.MaxBytes))
}
