package hub

import (
	"sync/atomic"
	"time"

	"tickertape/internal/event"
)

// Stats is what a hub has counted since it began, and how it stands.
type Stats struct {
	Topics    int           // that have a log here
	Selectors int           // the same of them
	LogBytes  int           // about what all logs take in memory
	PageBytes int           // the same of the history pages that are shared
	Lag       time.Duration // of the watermark behind this node's clock, which may differ from the store's
	Epoch     uint64        // the number of the store's epoch; 0 until the first stretch

	// Reads are those of the history for streams that the logs do not reach
	// back to; FailedReads those of them that failed, and are tried again.
	Reads, FailedReads uint64
	Repairs            uint64                  // broken stretches of the feed that were bridged
	Gaps               map[event.Reason]uint64 // told to streams
	Ends               map[event.Status]uint64 // of topics, that were fed
}

// reasons are those of gaps, in the order in which the hub counts them.
var reasons = [...]event.Reason{event.Trimmed, event.Expired, event.Overrun, event.StoreLost, event.BadCursor}

// statuses are those of ends, in the order in which the hub counts them.
var statuses = [...]event.Status{event.Completed, event.Failed, event.Cancelled, event.ProducerLost}

// counts are the hub's counters. None is touched once per event and stream.
type counts struct {
	reads, failedReads, repairs atomic.Uint64
	gaps                        [len(reasons)]atomic.Uint64
	ends                        [len(statuses)]atomic.Uint64
}

// gap counts a notice that is handed out.
func (c *counts) gap(reason event.Reason) {
	for i, r := range reasons {
		if r == reason {
			c.gaps[i].Add(1)
		}
	}
}

// end counts an end that was fed.
func (c *counts) end(status event.Status) {
	for i, s := range statuses {
		if s == status {
			c.ends[i].Add(1)
		}
	}
}

// read counts a read of the history.
func (c *counts) read(err error) {
	c.reads.Add(1)
	if err != nil {
		c.failedReads.Add(1)
	}
}

// Stats returns the hub's counters.
func (h *Hub) Stats() Stats {
	s := Stats{LogBytes: int(h.bytes.Load()), PageBytes: h.reads.size(), Lag: time.Since(h.began),
		Reads: h.counts.reads.Load(), FailedReads: h.counts.failedReads.Load(), Repairs: h.counts.repairs.Load(),
		Gaps: map[event.Reason]uint64{}, Ends: map[event.Status]uint64{}}
	for i, r := range reasons {
		s.Gaps[r] = h.counts.gaps[i].Load()
	}
	for i, status := range statuses {
		s.Ends[status] = h.counts.ends[i].Load()
	}
	if mark := h.mark.Load(); mark != nil {
		s.Lag = max(0, time.Since(mark.clock.Position.Time()))
		s.Epoch = uint64(mark.clock.Epoch.Number)
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	s.Topics, s.Selectors = len(h.logs), len(h.selections.logs)
	return s
}

// Taken is what a subscriber has handed out so far.
type Taken struct {
	Events uint64
	Gaps   uint64
	Bytes  uint64 // of the blocks, without what makes chunks of them
	// Live is the position of the first event of the last Take; zero if that
	// one had none, or if the stream has never been up to date: what a
	// client is late for is no delay of the hub's.
	Live event.Position
}

// Taken returns what Take has handed out.
func (s *Subscriber) Taken() Taken { return s.taken }
