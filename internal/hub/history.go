package hub

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tickertape/internal/event"
)

// page is a piece of a topic's history as frames, holes among them. It is
// complete behind after, up to and including upto.
type page struct {
	log    *log
	after  event.Position
	upto   event.Position
	frames []*frame
	made   time.Time
	bytes  int

	// Set if the page begins with the last so many events up to opened.
	last   int
	opened event.Position
}

func newPage(l *log, from event.Page) *page {
	p := &page{log: l, after: from.After, upto: from.Upto, made: time.Now(),
		frames: make([]*frame, 0, len(from.Events)+len(from.Gaps))}
	events := from.Events
	for _, g := range from.Gaps {
		for len(events) > 0 && g.Position.After(events[0].Position) {
			p.add(&frame{event: events[0]})
			events = events[1:]
		}
		p.add(&frame{event: event.Event{Topic: l.topic, Position: g.Position}, gap: g.Reason})
	}
	for _, e := range events {
		p.add(&frame{event: e})
	}
	return p
}

func (p *page) add(f *frame) {
	p.frames = append(p.frames, f)
	p.bytes += f.size()
}

// covers reports whether the page tells what comes next behind p.
func (p *page) covers(after event.Position) bool {
	return !p.after.After(after) && p.upto.After(after)
}

// want is what a subscriber's source waits for: the page behind after, or, if
// last is set, the last so many events up to opened.
type want struct {
	source *source
	after  event.Position
	last   int
	opened event.Position
}

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
		s.hub.reads.push(l, nil)
	}
}

// push adds work: a log, or a subscriber.
func (r *reads) push(l *log, s *Subscriber) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l != nil {
		r.logs = append(r.logs, l)
	}
	if s != nil {
		r.judge = append(r.judge, s)
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
		l, r.logs = r.logs[0], r.logs[1:]
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

// Between two tries while the bus does not answer.
const (
	minBackoff = 20 * time.Millisecond
	maxBackoff = time.Second
)

// read is one of the hub's readers. While the bus does not answer, whoever
// waits for it keeps waiting.
func (h *Hub) read(ctx context.Context) error {
	backoff := minBackoff
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.reads.more:
		}
		l, judge := h.reads.pop()
		var err error
		switch {
		case judge != nil:
			err = h.judge(ctx, judge)
		case l != nil:
			err = h.fill(ctx, l)
		}
		if err == nil {
			backoff = minBackoff
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
		h.reads.push(l, nil)
		for _, s := range judge {
			h.reads.push(nil, s)
		}
	}
}

// judge reads the clock once for all the subscribers that wait for it. The
// read begins after the last of them asked, so a cursor beyond it is beyond
// every event there was then.
func (h *Hub) judge(ctx context.Context, waiting []*Subscriber) error {
	ctx, cancel := context.WithTimeout(ctx, h.options.ReadTime)
	defer cancel()
	clock, err := h.bus.Clock(ctx)
	if err != nil {
		return err
	}
	for _, s := range waiting {
		s.clock.Store(&clock)
		s.waker.Wake(s)
	}
	return nil
}

// close completes a page of which the bus could not say how much of what is
// lost lay up to upto, the floor when the page was asked for, and reports
// whether it can. It can if an event is known to have stood there. It also can
// if the watermark has passed the hole's end: of all that lies between, the
// log would have the topic's events, so the end is not one of them but the
// forgotten position, and the loss of something up to the floor cannot be
// excluded.
func (l *log) close(page *event.Page, upto, watermark event.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.floor != upto || !l.proven && page.Gaps[0].Position.After(watermark) {
		return false
	}
	page.Gaps[0].Position, page.Upto = upto, upto
	return true
}

// errRunning says that a topic was trimmed faster than the feed brings its
// events: the read has to be tried again when the feed has got on.
var errRunning = errors.New("hub: the topic was trimmed beyond the watermark while it was read")

// fill reads what the log's subscribers want and wakes them. Those who came
// while it was reading share the next round: whoever comes back with
// thousands of others costs the bus a read or two.
func (h *Hub) fill(ctx context.Context, l *log) error {
	ctx, cancel := context.WithTimeout(ctx, h.options.ReadTime)
	defer cancel()
	l.mu.Lock()
	ranges := l.ranges(h.options)
	l.mu.Unlock()
	var pages []*page
	for _, r := range ranges {
		answer, err := h.bus.History(ctx, r)
		if err != nil {
			return err
		}
		if r.Last == 0 && answer.Upto == r.After && !l.close(&answer, r.Upto, h.mark.Load().position) {
			return errRunning
		}
		p := newPage(l, answer)
		if r.Last > 0 {
			p.last, p.opened = r.Last, r.Upto
		}
		pages = append(pages, p)
	}
	l.deliver(pages)
	for _, p := range pages {
		h.reads.keep(p, h.options.PagesBytes)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queued = len(l.wants) > 0; l.queued {
		h.reads.push(l, nil)
	}
	return nil
}

// ranges returns the reads that come next: one from the farthest cursor up to
// where the log begins, and one for each tail that is asked for. l.mu is held.
func (l *log) ranges(o Options) (ranges []event.Range) {
	r := event.Range{Topic: l.topic, After: l.floor, Upto: l.floor, Limit: o.PageEvents}
	tails := map[want]int{}
	for s, w := range l.wants {
		// A stream of many topics holds a page of each.
		bytes := o.PageBytes / len(s.sources)
		switch {
		case w.last > 0:
			w.source = nil
			tails[w] = bytes
		case r.After.After(w.after):
			r.After, r.Bytes = w.after, max(1, bytes)
		}
	}
	if r.Upto.After(r.After) {
		ranges = append(ranges, r)
	}
	for w, bytes := range tails {
		ranges = append(ranges, event.Range{Topic: l.topic, Upto: w.opened, Last: w.last, Limit: o.PageEvents, Bytes: max(1, bytes)})
	}
	return ranges
}

// deliver shares the pages, hands them to those who wait for them, and wakes
// these, and those whom the log itself can serve by now.
func (l *log) deliver(pages []*page) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pages = append(l.pages, pages...)
	for s, w := range l.wants {
		i := slices.IndexFunc(pages, w.served)
		if i < 0 && (w.last > 0 || l.floor.After(w.after)) {
			continue
		}
		if i >= 0 {
			w.source.page = pages[i]
		}
		delete(l.wants, s)
		s.waker.Wake(s)
	}
}

// served reports whether the page is the one that is wanted.
func (w want) served(p *page) bool {
	if w.last > 0 {
		return p.last == w.last && p.opened == w.opened
	}
	return p.covers(w.after)
}
