package web

import (
	"cmp"
	"errors"
	"maps"
	"net/netip"
	"sync"
	"time"

	"tickertape/internal/event"
)

// Limits bound what clients may take of a node.
type Limits struct {
	// PerAddress is how many streams, out and in, one address may have; of IPv6,
	// one /64. PerSubject is how many those with one token's subject may have.
	// Conns is how many connections of net/http one address may have. Requests is how often in a second one address may open a stream or look at
	// topics, on average over ten seconds. Opens is how many streams a node opens in
	// a second. 0: as many as they like.
	PerAddress int
	PerSubject int
	Conns      int
	Requests   float64
	Opens      float64

	Topics     int           // and selectors of one stream. 100
	Message    int           // bytes of a message's data; not above event.MaxData, which is the default
	BodyTime   time.Duration // that a body may take to arrive which is no stream. 30 s
	Silence    time.Duration // of a stream in, that is then ended; 0: for ever
	Reads      int           // of topics at once, an eighth of them by one address. 128
	StreamsIn  int           // at once; more are sent away until later. 10,000
	IntakeSize int           // bytes of unfinished messages of all streams in together. 256 MiB; of others half as much may wait

	// TrustedProxies are those whose X-Forwarded-For says who a client is.
	TrustedProxies []netip.Prefix
}

func (l Limits) withDefaults() Limits {
	l.Topics = cmp.Or(l.Topics, 100)
	l.Message = min(cmp.Or(l.Message, event.MaxData), event.MaxData)
	l.BodyTime = cmp.Or(l.BodyTime, 30*time.Second)
	l.Reads = cmp.Or(l.Reads, 128)
	l.StreamsIn = cmp.Or(l.StreamsIn, 10_000)
	l.IntakeSize = cmp.Or(l.IntakeSize, 256<<20)
	return l
}

// Limits that were reached, as they are counted.
const (
	LimitAddress  = "address"   // PerAddress
	LimitSubject  = "subject"   // PerSubject
	LimitConns    = "conns"     // Conns
	LimitRequests = "requests"  // Requests
	LimitOpens    = "opens"     // Opens
	LimitPublish  = "publish"   // of whoever publishes
	LimitTopics   = "topics"    // Topics
	LimitSize     = "size"      // of a message, a line, a batch or a body
	LimitBodyTime = "body_time" // BodyTime
	LimitSilence  = "silence"   // Silence
	LimitReads    = "reads"     // Reads
	LimitIn       = "streams_in"
	LimitIntake   = "intake"       // IntakeSize
	LimitAlive    = "topics_alive" // event.ErrTooManyTopics
)

// limitErrors are the errors by which requests end at a limit.
var limitErrors = [...]struct {
	err   error
	limit string
}{
	{errTopics, LimitTopics},
	{event.ErrTooLarge, LimitSize}, {event.ErrBatchTooLarge, LimitSize}, {errBodySize, LimitSize}, {errEndSize, LimitSize},
	{errLineSize, LimitSize}, {errEventSize, LimitSize},
	{errSlowBody, LimitBodyTime}, {errSilentBody, LimitSilence}, {errFullReads, LimitReads}, {errFullIn, LimitIn}, {errFullIntake, LimitIntake},
	{event.ErrTooManyTopics, LimitAlive},
}

// limitOf returns the limit at which a request ended, or nothing.
func limitOf(err error) string {
	if e, ok := errors.AsType[*limitError](err); ok {
		return e.limit
	}
	for _, row := range limitErrors {
		if errors.Is(err, row.err) {
			return row.limit
		}
	}
	return ""
}

// limitCounts count requests that ended at a limit.
type limitCounts struct {
	mu   sync.Mutex
	each map[string]uint64
}

func newLimitCounts() *limitCounts {
	c := &limitCounts{each: map[string]uint64{LimitAddress: 0, LimitSubject: 0, LimitConns: 0, LimitRequests: 0, LimitOpens: 0, LimitPublish: 0}}
	for _, row := range limitErrors {
		c.each[row.limit] = 0
	}
	return c
}

// count counts the request, if it ended at a limit.
func (c *limitCounts) count(err error) {
	if reached := limitOf(err); reached != "" {
		c.add(reached)
	}
}

func (c *limitCounts) add(reached string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.each[reached]++
}

// LimitStats returns how many requests ended at which limit.
func (s *Server) LimitStats() map[string]uint64 {
	s.limited.mu.Lock()
	defer s.limited.mu.Unlock()
	return maps.Clone(s.limited.each)
}
