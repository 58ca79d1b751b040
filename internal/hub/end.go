package hub

import (
	"context"

	"tickertape/internal/event"
)

// ending is what a log knows of its topic's end.
type ending struct {
	at event.Position // where the topic has ended; zero: it has not, as far as is known
	// known says that somebody has looked, or that something of the topic was
	// fed, since the last doubt.
	known  bool
	fed    event.Position // the last event of the topic that was fed
	doubts int            // how often what was known had to be given up
}

// endedBy reports whether the topic is known to have ended at or before p.
func (e ending) endedBy(p event.Position) bool { return !e.at.IsZero() && !e.at.After(p) }

// observe takes in what the feed brings. A loss may be that of the end. l.mu is
// held.
func (l *log) observe(f *frame, h *Hub) {
	if f.hole() {
		l.doubt(h)
		return
	}
	l.ending.known, l.ending.fed, l.ending.at = true, f.position(), event.Position{}
	if f.event.End != "" {
		l.ending.at = f.position()
	}
}

// doubt gives up what is known: the store may have lost the end, or be in the
// topic's next life. Those who came back and know of nothing behind the end have
// to hear whether it still stands. l.mu is held.
func (l *log) doubt(h *Hub) {
	if l.selection != nil {
		return
	}
	if quiet := l.ending.fed.IsZero(); (quiet && l.ending.known || !l.ending.at.IsZero()) && len(l.seats) > 0 {
		h.reads.push(task{ask: l.topic})
	}
	l.ending = ending{doubts: l.ending.doubts + 1}
}

// inquire has the store asked once whether the topic has ended, for a source that
// came back and needs no page of the history, which would tell. Nobody waits for
// the answer. l.mu is held.
func (l *log) inquire(s *Subscriber, src *source) {
	if l.ending.known || !src.opened.IsZero() || l.selection != nil {
		return
	}
	l.ending.known = true
	s.hub.reads.push(task{ask: l.topic})
}

// inDoubt returns what tells whether a doubt comes up meanwhile.
func (l *log) inDoubt() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ending.doubts
}

// learnEnd takes in what a page of the present epoch says, unless there is a
// doubt that is newer.
func (l *log) learnEnd(answer event.Page, doubts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, kind := event.Position{}, l.kind
	if n := len(answer.Events); n > 0 {
		kind = answer.Events[n-1].Kind
	}
	if answer.End != nil {
		at, kind = answer.End.Position, answer.End.Kind
	}
	if answer.Epoch == l.epoch {
		l.conclude(at, kind, doubts)
	}
}

// conclude takes in where the topic has ended and what kind it is of, which is as
// old as the doubts are. What was fed meanwhile is newer. l.mu is held.
func (l *log) conclude(at event.Position, k event.Kind, doubts int) {
	if l.ending.doubts != doubts {
		return
	}
	l.ending.known = true
	if l.ending.fed.IsZero() {
		l.kind = k
	}
	if at.IsZero() || l.ending.fed.After(at) || l.ending.at == at {
		return
	}
	l.ending.at = at
	for _, at := range l.seats { // idle, or about to be without having seen it
		at.subscriber.waker.Wake(at.subscriber)
	}
}

// ask has the store say whether the topic has ended, and tells those who want to
// know.
func (h *Hub) ask(ctx context.Context, t event.Topic) error {
	ctx, cancel := context.WithTimeout(ctx, h.options.ReadTime)
	defer cancel()
	h.mu.RLock()
	l := h.logs[t]
	h.mu.RUnlock()
	doubts := 0
	if l != nil {
		doubts = l.inDoubt()
	}
	info, found, err := h.bus.Topic(ctx, t)
	if err != nil {
		return err
	}
	if !found {
		info.Kind = h.options.Rules.Of(t).Kind
	}
	at := event.Position{}
	if info.Status != "" {
		at = info.Last.Position
		h.watches.tell(t, info.Status)
	}
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending.doubts != doubts {
		return errRunning // who waits for the answer sleeps
	}
	l.conclude(at, info.Kind, doubts)
	return nil
}

// ended reports whether all topics of the stream have ended, with all that they
// had handed out.
func (s *Subscriber) ended() bool {
	for i := range s.sources {
		src := &s.sources[i] // no copy: its page is for others to write
		if src.end.IsZero() || !src.end.After(src.opened) || src.end.After(s.cursor.Position) {
			return false
		}
	}
	return len(s.sources) > 0
}

// Complete reports whether the stream has come to its end: every topic has
// ended, and Take has returned all that they had. A stream that starts now on a
// topic that has ended before waits, for it was not told of that end.
func (s *Subscriber) Complete() bool { return s.over }

// Over reports whether a stream that goes on at a cursor would have nothing to
// come, ever: all its topics have ended at or before the cursor. It asks the bus
// nothing: a node that does not know opens the stream, and knows by the time
// that it has come to its end.
func (h *Hub) Over(r Request) bool {
	mark := h.mark.Load()
	if mark == nil || len(r.Topics) == 0 || len(r.Selectors) > 0 {
		return false
	}
	cursor, err := event.ParseCursor(r.From.Cursor)
	if err != nil {
		return false
	}
	position, reason := mark.clock.Resolve(cursor)
	if reason != "" || position != cursor.Position {
		return false
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, t := range r.Topics {
		if l := h.logs[t]; l == nil || !l.over(mark.clock.Epoch, position) {
			return false
		}
	}
	return true
}

// over reports whether the topic has ended at or before p, and nothing is
// known behind p, not even a hole.
func (l *log) over(epoch event.Epoch, p event.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != epoch || !l.ending.endedBy(p) || len(behind(l.frames[l.head:], p)) > 0 {
		return false
	}
	for _, page := range l.pages {
		if len(behind(page.frames, p)) > 0 {
			return false
		}
	}
	return true
}
