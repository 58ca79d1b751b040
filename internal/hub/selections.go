package hub

import (
	"strings"
	"time"

	"tickertape/internal/event"
)

// selections are the logs of the selectors that somebody here listens to, one
// for each selector. What it takes to find those that an event goes to depends
// on how many of them match it, not on how many there are.
type selections struct {
	logs map[string]*log
	root branch
	// fed holds where the topics of the stretch in hand stand; the feed's own.
	fed map[event.Topic]event.Position
}

// branch is what selectors have behind their first segments.
type branch struct {
	next map[string]*branch // by the next segment, which may be "*"
	here *log               // of the selector that ends here
	rest *log               // of the one that ends with "**" behind this
}

func newSelections() selections {
	return selections{logs: map[string]*log{}, fed: map[event.Topic]event.Position{}}
}

// newSelection returns the log of a selector.
func newSelection(match event.Selector, rules event.Rules, now event.Clock) *log {
	l := newLog(event.Topic(match.String()), event.Rule{}, now)
	l.selection = &selection{match: match, rules: rules}
	return l
}

// add gives the log its place.
func (x *selections) add(l *log) {
	text := l.selection.match.String()
	x.logs[text] = l
	*x.root.place(text) = l
}

// place returns where the log of a selector belongs.
func (b *branch) place(text string) **log {
	segment, rest, more := strings.Cut(text, ".")
	if segment == "**" {
		return &b.rest
	}
	if b.next == nil {
		b.next = map[string]*branch{}
	}
	next := b.next[segment]
	if next == nil {
		next = &branch{}
		b.next[segment] = next
	}
	if !more {
		return &next.here
	}
	return next.place(rest)
}

// remove takes the log of a selector out.
func (x *selections) remove(text string) {
	delete(x.logs, text)
	*x.root.place(text) = nil
	x.root.prune(text)
}

// prune drops what is empty on the way to a selector's place.
func (b *branch) prune(text string) {
	segment, rest, more := strings.Cut(text, ".")
	next := b.next[segment]
	if next == nil {
		return
	}
	if more {
		next.prune(rest)
	}
	if len(next.next) == 0 && next.here == nil && next.rest == nil {
		delete(b.next, segment)
	}
}

// find appends the logs of the selectors that match what is left of a topic.
func (b *branch) find(to []*log, rest string) []*log {
	if b.rest != nil {
		to = append(to, b.rest)
	}
	segment, after, more := strings.Cut(rest, ".")
	for _, name := range [...]string{segment, "*"} {
		next := b.next[name]
		switch {
		case next == nil:
		case more:
			to = next.find(to, after)
		case next.here != nil:
			to = append(to, next.here)
		}
	}
	return to
}

// append adds the frame to the logs of the selectors that match its topic, and
// to touched those for which it is the first change of the stretch.
func (x *selections) append(f *frame, complete event.Position, h *Hub) {
	var space [8]*log
	found := x.root.find(space[:0], string(f.event.Topic))
	if len(found) == 0 {
		return
	}
	complete = event.Latest(complete, x.fed[f.event.Topic])
	x.fed[f.event.Topic] = f.position()
	for _, l := range found {
		if l.append(f, complete, h) {
			h.touched = append(h.touched, l)
		}
	}
}

// expire lets go of what was gathered and nobody has wanted since the given time.
func (x *selections) expire(h *Hub, before time.Time) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, l := range x.logs {
		l.expire(before)
	}
}

// selection is what makes a log that of a selector.
type selection struct {
	match  event.Selector
	rules  event.Rules  // that may make tables of its topics
	gather []*gathering // begun, the latest last; under log.mu
	turns  int
}

// mayHaveTables reports whether a rule makes tables of topics that the selector
// may match.
func (x *selection) mayHaveTables() bool {
	for _, r := range x.rules {
		if r.Kind == event.KindLatest && overlap(strings.Split(r.Selector.String(), "."), strings.Split(x.match.String(), ".")) {
			return true
		}
	}
	return false
}

// overlap reports whether there are topics that two selectors match.
func overlap(a, b []string) bool {
	switch {
	case len(a) == 0 || len(b) == 0:
		return len(a) == len(b)
	case a[0] == "**" || b[0] == "**":
		return true
	case a[0] != b[0] && a[0] != "*" && b[0] != "*":
		return false
	}
	return overlap(a[1:], b[1:])
}

// joinSelection adds the subscriber to the selector's log, which it makes if need
// be, and returns the log.
func (h *Hub) joinSelection(match event.Selector, s *Subscriber, src *source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.selections.logs[match.String()]
	if l == nil {
		l = newSelection(match, h.options.Rules, h.mark.Load().clock)
		h.selections.add(l)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seat(s, src)
}
