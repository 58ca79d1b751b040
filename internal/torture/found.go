package torture

import (
	"fmt"
	"sync"

	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// found is what a case's own readers had, and what was wrong with it.
type found struct {
	mu        sync.Mutex
	names     int
	published int // lines that were acknowledged
	delivered int // to all of its readers
	verdict   referee.Verdict
}

// name returns the name of a topic that nobody else has.
func (f *found) name(kind string) event.Topic {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names++
	return event.Topic(fmt.Sprint(kind, ".", f.names))
}

// odd notes what is wrong beside all columns.
func (f *found) odd(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verdict.Fault(&f.verdict.Other, format, args...)
}

// add notes what was wrong, and how much there was.
func (f *found) add(v referee.Verdict, published, delivered int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verdict.Join(v)
	f.published += published
	f.delivered += delivered
}

// report adds all that to a row.
func (f *found) report(row *Row) {
	f.mu.Lock()
	defer f.mu.Unlock()
	row.Join(f.verdict)
	row.Published += f.published
	row.Delivered += f.delivered
}
