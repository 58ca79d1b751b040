package stream

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"tickertape/internal/hub"
)

// Stats is what a Server has counted since it began, and how it stands.
// Opened and Resumed, less all that Ended holds, is Open.
type Stats struct {
	Open    int
	Opened  uint64            // from now on, or where the query said
	Resumed uint64            // from a client's own cursor
	Ended   map[string]uint64 // streams that had begun, by reason: Left, Stalled, Drained, Over, Expired, Aged
	Away    map[string]uint64 // clients sent away at once, by reason: Full, Draining, NotReady, Unknown
	Events  uint64            // written to sockets
	Bytes   uint64            // the same, with the hub's own blocks and signs of life
}

// Why streams end.
const (
	Left    = "left"    // the client or its connection went
	Stalled = "stalled" // the client took nothing for too long, and was cut
	Drained = "drained" // the node sent its client to another one
	Over    = "over"    // all its topics have ended
	Expired = "expired" // its client's token has
	Aged    = "aged"    // it was open as long as it may
)

// Why clients are sent away before their stream begins.
const (
	Full     = "full"      // the node has as many streams as it may
	Draining = "draining"  // the node is about to end
	NotReady = "not_ready" // the node has not heard from its bus yet
	Unknown  = "unknown"   // whether the client's token is good cannot be told yet
)

// reason returns the one word for why a stream ended.
func reason(err error, begun bool) string {
	switch {
	case begun && errors.Is(err, ErrStalled):
		return Stalled
	case begun && errors.Is(err, ErrClosing):
		return Drained
	case begun && errors.Is(err, ErrOver):
		return Over
	case begun && errors.Is(err, ErrExpired):
		return Expired
	case begun && errors.Is(err, ErrAged):
		return Aged
	case begun:
		return Left
	case errors.Is(err, ErrFull):
		return Full
	case errors.Is(err, ErrUnknown):
		return Unknown
	case errors.Is(err, hub.ErrNotReady):
		return NotReady
	}
	return Draining
}

// counts are a server's counters: two additions for each batch that a stream
// writes.
type counts struct {
	opened, resumed, events, bytes atomic.Uint64
	ended                          [len(endings)]atomic.Uint64
	away                           [len(aways)]atomic.Uint64
}

var (
	endings = [...]string{Left, Stalled, Drained, Over, Expired, Aged}
	aways   = [...]string{Full, Draining, NotReady, Unknown}
)

func (c *counts) began(resumed bool) {
	if resumed {
		c.resumed.Add(1)
	} else {
		c.opened.Add(1)
	}
}

func (c *counts) ending(begun bool, reason string) {
	if begun {
		c.ended[slices.Index(endings[:], reason)].Add(1)
	} else {
		c.away[slices.Index(aways[:], reason)].Add(1)
	}
}

// Stats returns the server's counters.
func (s *Server) Stats() Stats {
	c := &s.counts
	stats := Stats{Open: s.Open(), Opened: c.opened.Load(), Resumed: c.resumed.Load(),
		Ended: map[string]uint64{}, Away: map[string]uint64{}, Events: c.events.Load(), Bytes: c.bytes.Load()}
	for i, reason := range endings {
		stats.Ended[reason] = c.ended[i].Load()
	}
	for i, reason := range aways {
		stats.Away[reason] = c.away[i].Load()
	}
	return stats
}

// Served is what a client got of a stream.
type Served struct {
	Begun   bool // else it was sent away
	Resumed bool // it came with a cursor
	Reason  string
	Err     error // why it ended; never nil
	Events  uint64
	Gaps    uint64
	Bytes   uint64
	Time    time.Duration
}
