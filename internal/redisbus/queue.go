package redisbus

import (
	"slices"
	"sync"
)

const (
	maxCallMessages = 256      // of one call; a batch is never split, and may be larger
	maxCallBytes    = 1 << 20  // the same
	maxQueueBytes   = 64 << 20 // that wait
	maxQueueGroups  = 50_000
)

// queue is what waits to be taken by a lane, in order.
type queue struct {
	more chan struct{} // holds a token while there may be work

	mu     sync.Mutex
	groups []*group
	bytes  int
	closed bool
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

func (q *queue) signal() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// publishes returns how many of the groups that wait are publishes: not beats,
// nor reports.
func (q *queue) publishes() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, g := range q.groups {
		if len(g.messages) > 0 {
			n++
		}
	}
	return n
}

// push adds a group, unless too much waits already. A reading of the clock is
// never too much: without it, a node that lost its subscription stays deaf.
func (q *queue) push(g *group) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return unavailable(errClosed, false)
	case g.count() > 0 && (len(q.groups) >= maxQueueGroups || q.bytes+g.size > maxQueueBytes):
		return unavailable(errFull, false)
	}
	q.groups = append(q.groups, g)
	q.bytes += g.size
	q.signal()
	return nil
}

// withdraw takes the group out, and reports whether it was there.
func (q *queue) withdraw(g *group) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch i := slices.Index(q.groups, g); i {
	case -1:
		return false
	case 0: // the usual case: who came first is out of time first
		q.groups[0] = nil
		q.groups = q.groups[1:]
	default:
		q.groups = slices.Delete(q.groups, i, i+1)
	}
	q.bytes -= g.size
	return true
}

// take takes out what makes up the next call. A report is one by itself: on the
// wire, losses stand behind all events, and what nobody has published changes no
// topic's kind.
func (q *queue) take() (groups []*group) {
	q.mu.Lock()
	defer q.mu.Unlock()
	messages, bytes := 0, 0
	for len(q.groups) > 0 {
		g := q.groups[0]
		full := messages+g.count() > maxCallMessages || bytes+g.size > maxCallBytes
		if len(groups) > 0 && (full || g.reports()+groups[0].reports() > 0) {
			break
		}
		q.groups[0] = nil
		q.groups = q.groups[1:]
		q.bytes -= g.size
		messages += g.count()
		bytes += g.size
		groups = append(groups, g)
	}
	if len(q.groups) > 0 {
		q.signal()
	}
	return groups
}

// putBack returns groups that were not taken to the head.
func (q *queue) putBack(groups []*group) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.groups = slices.Concat(groups, q.groups)
	for _, g := range groups {
		q.bytes += g.size
	}
	q.signal()
}

// close refuses what comes from now on, and returns what was left.
func (q *queue) close() (left []*group) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	left, q.groups = q.groups, nil
	return left
}
