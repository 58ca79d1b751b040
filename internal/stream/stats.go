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
	Away    map[string]uint64 // clients sent away at once, by reason: Full, Draining, NotReady, Unknown, Busy, Address, Subject
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
	Busy     = "busy"      // the node opens as many streams a second as it may
	Address  = "address"   // the client's address has as many streams, or asks as often, as it may
	Subject  = "subject"   // the client's token has as many streams as it may
)

// outcome is why a stream ended, or did not begin, and the word for it.
type outcome struct {
	err    error
	reason string
}

// What is in neither table, is the last one of its own.
var (
	endings = [...]outcome{{ErrStalled, Stalled}, {ErrClosing, Drained}, {ErrOver, Over}, {ErrExpired, Expired}, {ErrAged, Aged}, {nil, Left}}
	aways   = [...]outcome{{ErrFull, Full}, {ErrUnknown, Unknown}, {ErrBusy, Busy}, {ErrAddress, Address}, {ErrSubject, Subject},
		{hub.ErrNotReady, NotReady}, {nil, Draining}}
)

// find returns which one of the outcomes an error is.
func find(all []outcome, err error) int {
	last := len(all) - 1
	if i := slices.IndexFunc(all[:last], func(o outcome) bool { return errors.Is(err, o.err) }); i >= 0 {
		return i
	}
	return last
}

// counts are a server's counters: two additions for each batch that a stream
// writes.
type counts struct {
	opened, resumed, events, bytes atomic.Uint64
	ended                          [len(endings)]atomic.Uint64
	away                           [len(aways)]atomic.Uint64
}

func (c *counts) began(resumed bool) {
	if resumed {
		c.resumed.Add(1)
	} else {
		c.opened.Add(1)
	}
}

// ending counts the end of a stream, or a client sent away, and returns the one
// word for why.
func (c *counts) ending(begun bool, why error) string {
	if begun {
		i := find(endings[:], why)
		c.ended[i].Add(1)
		return endings[i].reason
	}
	i := find(aways[:], why)
	c.away[i].Add(1)
	return aways[i].reason
}

// Stats returns the server's counters.
func (s *Server) Stats() Stats {
	c := &s.counts
	stats := Stats{Open: s.Open(), Opened: c.opened.Load(), Resumed: c.resumed.Load(),
		Ended: map[string]uint64{}, Away: map[string]uint64{}, Events: c.events.Load(), Bytes: c.bytes.Load()}
	for i, o := range endings {
		stats.Ended[o.reason] = c.ended[i].Load()
	}
	for i, o := range aways {
		stats.Away[o.reason] = c.away[i].Load()
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
