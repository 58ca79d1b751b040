package hub

import (
	"slices"
	"sync"
	"time"
)

// reads is the work of the hub's readers: logs that somebody wants a page of,
// and subscribers whose cursor can only be judged by the store's clock. It
// also keeps the pages that are shared, oldest first.
type reads struct {
	mu     sync.Mutex
	logs   []*log
	judge  []*Subscriber
	more   chan struct{} // holds a token while there is work
	pages  []*page
	weight int
}

func newReads() reads { return reads{more: make(chan struct{}, 1)} }

// want notes what the subscriber waits for. l.mu is held.
func (l *log) want(s *Subscriber, w want) {
	if l.wants == nil {
		l.wants = map[*Subscriber]want{}
	}
	l.wants[s] = w
	if !l.queued {
		l.queued = true
		s.hub.reads.push(l)
	}
}

// push adds work: a log, unless it is nil, and subscribers that are still open.
func (r *reads) push(l *log, judge ...*Subscriber) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l != nil {
		r.logs = append(r.logs, l)
	}
	for _, s := range judge {
		if !s.closed.Load() {
			r.judge = append(r.judge, s)
		}
	}
	r.signal()
}

func (r *reads) signal() {
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// pop takes work: all subscribers that wait for the clock, or one log.
func (r *reads) pop() (l *log, judge []*Subscriber) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.judge) > 0 {
		judge, r.judge = r.judge, nil
	} else if len(r.logs) > 0 {
		l = r.logs[0]
		r.logs[0] = nil
		r.logs = r.logs[1:]
	}
	if len(r.logs) > 0 {
		r.signal()
	}
	return l, judge
}

// keep shares a page. The oldest ones go if all together are too large.
func (r *reads) keep(p *page, limit int) {
	r.mu.Lock()
	r.pages = append(r.pages, p)
	r.weight += p.bytes
	var gone []*page
	for r.weight > limit && len(r.pages) > 1 {
		gone = append(gone, r.shift())
	}
	r.mu.Unlock()
	unlink(gone)
}

// expire lets go of the pages made before the given time.
func (r *reads) expire(before time.Time) {
	r.mu.Lock()
	var gone []*page
	for len(r.pages) > 0 && r.pages[0].made.Before(before) {
		gone = append(gone, r.shift())
	}
	r.mu.Unlock()
	unlink(gone)
}

func (r *reads) shift() *page {
	p := r.pages[0]
	r.pages[0] = nil
	r.pages = r.pages[1:]
	r.weight -= p.bytes
	return p
}

func unlink(pages []*page) {
	for _, p := range pages {
		p.log.mu.Lock()
		if i := slices.Index(p.log.pages, p); i >= 0 {
			p.log.pages = slices.Delete(p.log.pages, i, i+1)
		}
		p.log.mu.Unlock()
	}
}
