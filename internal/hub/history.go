package hub

import (
	"context"
	"errors"
	"slices"
	"time"

	"tickertape/internal/event"
)

// What failed is tried again after a while. A reader also pauses after each
// failure, so that a store that is away is not asked all the time, but shortly,
// so that some topics' trouble holds up the others only a little.
const (
	retryRead = 200 * time.Millisecond
	rerun     = 50 * time.Millisecond // for errRunning
	pause     = 20 * time.Millisecond
)

// read is one of the hub's readers. While the bus does not answer, whoever
// waits for it keeps waiting.
func (h *Hub) read(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.reads.more:
		}
		next := h.reads.pop()
		var err error
		switch {
		case next.judge != nil:
			err = h.judge(ctx, next.judge)
		case next.log != nil:
			err = h.serve(ctx, next.log)
		case next.ask != "":
			err = h.ask(ctx, next.ask)
		}
		if err == nil {
			continue
		}
		wait := retryRead
		if errors.Is(err, errRunning) {
			wait = rerun
		}
		time.AfterFunc(wait, func() { h.reads.push(next) })
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// serve reads what the log's subscribers want.
func (h *Hub) serve(ctx context.Context, l *log) error {
	if l.selection != nil {
		return h.gather(ctx, l)
	}
	return h.fill(ctx, l)
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
	if clock.Epoch != h.mark.Load().clock.Epoch {
		return errRunning // the feed has yet to come to this epoch
	}
	for _, s := range waiting {
		s.clock.Store(&clock)
		s.waker.Wake(s)
	}
	return nil
}

// errRunning says that the store is further than the feed, by an epoch or
// because a topic was trimmed faster than the feed brings its events: the read
// has to be tried again when the feed has got on.
var errRunning = errors.New("hub: the store is ahead of the feed")

// fill reads what the log's subscribers want and wakes them. Those who came
// while it was reading share the next round: whoever comes back with
// thousands of others costs the bus a read or two.
func (h *Hub) fill(ctx context.Context, l *log) error {
	now, room := h.mark.Load().clock, h.reads.room(h.options.PagesBytes)
	l.mu.Lock()
	if l.epoch != now.Epoch { // the feed is at it
		l.mu.Unlock()
		return errRunning
	}
	readings := l.readings(h.options, now.Position, room)
	l.mu.Unlock()
	var pages []*page
	var failed error
	for _, r := range readings {
		made, err := h.readPages(ctx, l, r)
		l.learn(r, made, err)
		pages = append(pages, made...)
		if err == nil {
			continue
		}
		if failed = err; !errors.Is(err, errRunning) {
			break
		}
	}
	for _, p := range l.deliver(pages, h) {
		h.reads.keep(p, h.options.PagesBytes)
	}
	if failed != nil {
		return failed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queued = len(l.wants) > 0; l.queued {
		h.reads.push(task{log: l})
	}
	return nil
}

// readPages makes one history read, as pages. An answer of another epoch than
// the one in which it was asked for is of no use: where the log began then, the
// new epoch may have yet to come to.
func (h *Hub) readPages(ctx context.Context, l *log, r reading) ([]*page, error) {
	ctx, cancel := context.WithTimeout(ctx, h.options.ReadTime)
	defer cancel()
	doubts := l.inDoubt()
	answer, err := h.history(ctx, r.Range)
	if err == nil && r.overlaps(answer) {
		r.Upto = r.floor
		answer, err = h.history(ctx, r.Range)
	}
	if err != nil {
		return nil, err
	}
	now := h.mark.Load().clock
	if answer.Epoch != r.epoch || now.Epoch != r.epoch || answer.Upto == r.After && !l.close(&answer, now.Position) {
		return nil, errRunning
	}
	l.learnEnd(answer, doubts)
	if r.Last > 0 && l.reaches(answer) {
		answer.Upto, answer.Events, answer.Gaps = answer.After, nil, nil
	}
	pages := newPages(l, answer, inOrder(l.topic, answer), h.options.PageEvents, r.bytes)
	if r.Last > 0 {
		pages[0].last, pages[0].opened = r.Last, r.Upto
	}
	return pages, nil
}

func (h *Hub) history(ctx context.Context, r event.Range) (event.Page, error) {
	page, err := h.bus.History(ctx, r)
	h.counts.read(err)
	return page, err
}

// deliver shares the pages, hands them to those who wait for them, and wakes
// these, and those whom the log itself can serve by now, or whose epoch is over:
// they have to find their place in the new one. It returns the pages that are
// shared.
func (l *log) deliver(pages []*page, h *Hub) []*page {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Pages of an epoch that has ended meanwhile say nothing.
	pages = slices.DeleteFunc(pages, func(p *page) bool { return p.epoch != l.epoch })
	l.pages = append(l.pages, pages...)
	l.absorb(h)
	for s, w := range l.wants {
		i := slices.IndexFunc(pages, w.served)
		if i < 0 && w.epoch == l.epoch && (w.last > 0 || w.part != part{} || l.floor.After(w.after)) {
			continue
		}
		if i >= 0 {
			w.source.page = pages[i]
		}
		delete(l.wants, s)
		s.waker.Wake(s)
	}
	return pages
}

// close completes a page of which the bus could not say how much of what is
// lost lay within the range that was asked for, and reports whether it can. A
// hole that ends before the log begins is one as it stands. A longer one ends
// where the log begins, for the log still has the rest: if an event is known
// to have stood there, or the watermark has passed the hole's end. In that
// case the log would have the topic's events up to there, so the end is not
// one of them but the forgotten position, and the loss of something before the
// log begins cannot be excluded.
func (l *log) close(page *event.Page, watermark event.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(page.Gaps) == 0 {
		return false // against the contract; no reason to take the node down
	}
	end := page.Gaps[0].Position
	if end.After(l.floor) {
		if !l.floor.After(page.After) {
			return false
		}
		if !l.proven && end.After(watermark) {
			return false
		}
		end = l.floor
	}
	page.Gaps[0].Position, page.Upto = end, end
	return true
}

// reaches reports whether the log may still have some of what the page says is
// lost. All that counts of such a page is where it begins, or the stream would
// tell of a gap from the page, and go on with events before its end from the
// log.
func (l *log) reaches(page event.Page) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(page.Gaps)
	return n > 0 && page.Gaps[n-1].Position.After(l.floor)
}
