package web

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/gin-gonic/gin"

	"tickertape/internal/event"
)

// Bodies of a publish, as they are counted.
const (
	BodyJSON   = "json"   // one message, or a batch
	BodyRaw    = "raw"    // the data itself
	BodyNDJSON = "ndjson" // a message a line
	BodySSE    = "sse"    // a message an event
	BodyEnd    = "end"    // the end or cancel of a topic, by an address of its own
	BodyOther  = "other"  // none of these: refused
)

// What became of messages that were handed to the bus.
const (
	Stored    = "stored"
	Duplicate = "duplicate"  // was stored before
	Refused   = "refused"    // the mistake is the publisher's
	NotStored = "not_stored" // the store was away, or full
	Unknown   = "unknown"    // the store may have it, or not
)

// PublishStats is what a Server has counted of publishes since it began.
type PublishStats struct {
	Messages map[Messages]uint64
	Requests map[Requests]uint64 // that were answered
	Open     int                 // streams on their way in
	// Unfinished is how many bytes those have of messages that are not whole yet.
	Unfinished int64
	// FullTables are refusals since a table has as much as it may.
	FullTables uint64
	// Slowed are parts of streams that had to wait for their publisher's rate.
	Slowed uint64
}

// Messages are those that came by one kind of body and ended in one way.
type Messages struct{ Body, Outcome string }

// Requests are those that had one kind of body and one status.
type Requests struct {
	Body string
	Code int
}

// publishCounts counts publishes.
type publishCounts struct {
	mu       sync.Mutex
	messages map[Messages]uint64
	requests map[Requests]uint64
	full     uint64 // tables
	slowed   uint64 // parts of streams
}

func newPublishCounts() publishCounts {
	return publishCounts{messages: map[Messages]uint64{}, requests: map[Requests]uint64{}}
}

func (t *publishCounts) message(body, outcome string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.messages[Messages{body, outcome}] += uint64(n)
}

// refusal counts a table that was full.
func (t *publishCounts) refusal(err error) {
	if _, ok := errors.AsType[*event.TableFullError](err); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.full++
	}
}

// slow counts a part of a stream that has to wait.
func (t *publishCounts) slow() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slowed++
}

// countRequests counts publishes when they have been answered, by their kind of
// body.
func (s *Server) countRequests(body func(http.Header) string) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Next()
		if c.Request.Method != http.MethodPost {
			return
		}
		s.counts.mu.Lock()
		defer s.counts.mu.Unlock()
		s.counts.requests[Requests{body(c.Request.Header), c.Writer.Status()}]++
	}
}

// PublishStats returns what was counted.
func (s *Server) PublishStats() PublishStats {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return PublishStats{Messages: maps.Clone(s.counts.messages), Requests: maps.Clone(s.counts.requests), Open: s.intakes.count(), Unfinished: s.door.intake.Used(), FullTables: s.counts.full, Slowed: s.counts.slowed}
}

// store hands messages of one request with that kind of body to the bus, and
// counts what becomes of them.
func (s *Server) store(ctx context.Context, body string, messages []event.Message) ([]event.Receipt, error) {
	receipts, err := s.bus.Publish(ctx, messages)
	if err != nil {
		n := len(messages)
		if _, ok := errors.AsType[*event.ItemError](err); ok && (body == BodyNDJSON || body == BodySSE) {
			n = 1 // a stream tries those before it again, and drops the others
		}
		s.counts.message(body, outcomeOf(err), n)
		s.counts.refusal(err)
		return nil, err
	}
	duplicates := 0
	for _, r := range receipts {
		if r.Duplicate {
			duplicates++
		}
	}
	s.counts.message(body, Stored, len(receipts)-duplicates)
	s.counts.message(body, Duplicate, duplicates)
	return receipts, nil
}

// buy stores messages that are paid for first.
func (s *Server) buy(ctx context.Context, p purse, body string, messages []event.Message) ([]event.Receipt, error) {
	if err := p.pay(ctx, len(messages)); err != nil {
		return nil, err
	}
	return s.store(ctx, body, messages)
}

func outcomeOf(err error) string {
	if u, ok := errors.AsType[*event.UnavailableError](err); ok && !u.MaybeStored {
		return NotStored
	}
	if statusOf(err) < http.StatusInternalServerError {
		return Refused
	}
	return Unknown
}

// bodyOf names the kind of a request's body.
func bodyOf(h http.Header) string {
	media, _, err := mediaOf(h)
	switch {
	case err != nil && h.Get("Content-Type") != "":
		return BodyOther
	case media == "application/json":
		return BodyJSON
	case media == "application/x-ndjson":
		return BodyNDJSON
	case media == "text/event-stream":
		return BodySSE
	case slices.Contains(rawTypes[:], media):
		return BodyRaw
	}
	return BodyOther
}
