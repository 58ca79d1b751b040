package hub

import (
	"slices"
	"sync"
	"time"

	"tickertape/internal/event"
)

// reads is the work of the hub's readers: logs that somebody wants a page of,
// subscribers whose cursor can only be judged by the store's clock, and topics of
// which somebody has to know whether they have ended. It also keeps the pages
// that are shared, oldest first.
type reads struct {
	mu     sync.Mutex
	logs   []*log
	judge  []*Subscriber
	asked  map[event.Topic]struct{}
	more   chan struct{} // holds a token while there is work
	pages  []*page
	weight int
}

func newReads() reads {
	return reads{more: make(chan struct{}, 1), asked: map[event.Topic]struct{}{}}
}

// task is what a reader does next: one of these.
type task struct {
	log   *log
	judge []*Subscriber
	ask   event.Topic
}

// want notes what the subscriber waits for. l.mu is held.
func (l *log) want(s *Subscriber, w want) {
	if l.wants == nil {
		l.wants = map[*Subscriber]want{}
	}
	l.wants[s] = w
	if !l.queued {
		l.queued = true
		s.hub.reads.push(task{log: l})
	}
}

// push adds work. Subscribers that are closed are none any more.
func (r *reads) push(t task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.log != nil {
		r.logs = append(r.logs, t.log)
	}
	for _, s := range t.judge {
		if !s.closed.Load() {
			r.judge = append(r.judge, s)
		}
	}
	if t.ask != "" {
		r.asked[t.ask] = struct{}{}
	}
	r.signal()
}

func (r *reads) signal() {
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// pop takes work: all subscribers that wait for the clock, or one log, or, when
// nobody waits for that, one topic.
func (r *reads) pop() (t task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.judge) > 0:
		t.judge, r.judge = r.judge, nil
	case len(r.logs) > 0:
		t.log = r.logs[0]
		r.logs[0] = nil
		r.logs = r.logs[1:]
	default:
		for t.ask = range r.asked {
			delete(r.asked, t.ask)
			break
		}
	}
	if len(r.logs)+len(r.asked) > 0 {
		r.signal()
	}
	return t
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

// room returns how many bytes of pages more may be shared before some have to go.
func (r *reads) room(limit int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return limit - r.weight
}

// size returns how many bytes the shared pages have.
func (r *reads) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.weight
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

// reading is one history read that comes next. Its places are those of an epoch.
type reading struct {
	event.Range
	epoch event.Epoch
	from  event.Position // the farthest cursor that waits for it
	floor event.Position // where the log begins
	bytes int            // about the most data of each page that it makes
	wide  bool
}

// ahead is what a log has learned from its last reads. One who comes back
// alone is served by a narrow read: one page from the cursor on. If the log is
// read again while that page is shared, there will be more who come back, each
// from a place of its own, in any order: then a wide read fetches all that no
// page holds around the cursor, whoever may want it.
type ahead struct {
	narrow time.Time // when the last narrow read came; zero if the last read failed
	short  bool      // a wide read has ended before the cursor that it was for
}

// Wide reads bring no more pages than this, and only as many as there is room
// for: what may be wanted does not push out what is.
const maxPages = 64

// maxTails bounds the work of one round, and so how long it holds up others.
const maxTails = 16

// readings returns the reads that come next: one for the farthest cursor, and
// one for each tail that is asked for. l.mu is held.
func (l *log) readings(o Options, watermark event.Position, room int) (list []reading) {
	r := reading{epoch: l.epoch, from: l.floor, floor: l.floor}
	tails := map[want]int{}
	for s, w := range l.wants {
		if w.epoch != l.epoch {
			continue
		}
		// A stream of many topics holds a page of each. Too small ones
		// would be crumbs for the others who read them.
		bytes := max(1, o.PageBytes/16, o.PageBytes/len(s.sources))
		if w.last == 0 {
			r.from = event.Earliest(r.from, w.after)
			r.bytes = max(r.bytes, bytes)
			continue
		}
		w.source = nil
		if _, asked := tails[w]; asked || len(tails) < maxTails {
			tails[w] = max(tails[w], bytes)
		}
	}
	if l.floor.After(r.from) {
		r.Range = event.Range{Topic: l.topic, After: r.from, Upto: l.floor, Limit: o.PageEvents, Bytes: r.bytes}
		pages := min(maxPages, room/fullPage(o.PageEvents, r.bytes))
		if pages > 1 && time.Since(l.ahead.narrow) < o.PageLife {
			l.widen(&r, pages, watermark)
		}
		list = append(list, r)
	}
	for w, bytes := range tails {
		list = append(list, reading{epoch: l.epoch, bytes: bytes,
			Range: event.Range{Topic: l.topic, Upto: w.opened, Last: w.last, Limit: o.PageEvents, Bytes: bytes}})
	}
	return list
}

// widen lets the read go from the end of the page before the cursor to the
// beginning of the one behind it. If there is none behind, it goes on to the
// watermark, into what the log still has: the log soon begins later than it
// does now, and nobody should have to read what lies between. No page covers
// the cursor, or nobody would wait. l.mu is held.
func (l *log) widen(r *reading, pages int, watermark event.Position) {
	r.wide = true
	r.Limit *= pages
	r.Bytes *= pages
	r.After, r.Upto = event.Position{}, event.Latest(l.floor, watermark)
	for _, p := range l.pages {
		if p.after.After(r.from) {
			r.Upto = event.Earliest(r.Upto, p.after)
		} else {
			r.After = event.Latest(r.After, p.upto)
		}
	}
	if l.ahead.short {
		r.After = r.from
	}
}

// overlaps reports whether the answer has a hole where the log is read again:
// the log may still have what the store has lost.
func (r reading) overlaps(answer event.Page) bool {
	n := len(answer.Gaps)
	return r.wide && n > 0 && answer.Gaps[n-1].Position.After(r.floor)
}

// learn notes what came of a read.
func (l *log) learn(r reading, made []*page, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.Last > 0:
	case err != nil:
		l.ahead = ahead{} // it may have been too much
	case !r.wide:
		l.ahead = ahead{narrow: time.Now()}
	case !made[len(made)-1].upto.After(r.from):
		l.ahead.short = true
	}
}
