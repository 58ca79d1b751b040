package web

import (
	"sync"
	"time"
)

// outageEvery is how often at most an outage is logged.
const outageEvery = time.Second

// outage bounds what is logged of requests that fail: while the store is away
// all publishes do, and anyone may send as many as they like.
type outage struct {
	mu     sync.Mutex
	logged time.Time
	more   int
}

// worthy reports whether another failure may be logged, and how many were not
// since the last one that was.
func (o *outage) worthy(now time.Time) (more int, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Sub(o.logged) < outageEvery {
		o.more++
		return 0, false
	}
	more, o.more, o.logged = o.more, 0, now
	return more, true
}
