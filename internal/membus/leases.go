package membus

import (
	"container/heap"
	"time"

	"tickertape/internal/event"
)

// leased is what a topic knows of its lease.
type leased struct {
	lease time.Duration // 0: it has none
	look  time.Time     // when to look whether it ran out; that is not later than it does
	place int           // in leases
}

// leases are the topics that end if nobody writes to them, as a heap: the one
// to be looked at first is in front.
type leases []*topic

func (l leases) Len() int           { return len(l) }
func (l leases) Less(i, j int) bool { return l[i].look.Before(l[j].look) }

func (l leases) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].place, l[j].place = i, j
}

// Push is for package heap.
func (l *leases) Push(x any) {
	if t, ok := x.(*topic); ok {
		t.place = len(*l)
		*l = append(*l, t)
	}
}

// Pop is for package heap.
func (l *leases) Pop() any {
	last := len(*l) - 1
	t := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	return t
}

// grant gives the topic a lease from its newest event on, instead of the one
// it has.
func (b *Bus) grant(t *topic, lease time.Duration) {
	if t.lease == lease {
		return // that message renewed it, as any does
	}
	b.release(t)
	t.lease, t.look = lease, t.last.Time().Add(lease)
	b.bytes += t.endSize()
	heap.Push(&b.leases, t)
}

// release takes the topic's lease away, if it has one.
func (b *Bus) release(t *topic) {
	if t.lease > 0 {
		heap.Remove(&b.leases, t.place)
		b.bytes -= t.endSize()
		t.lease = 0
	}
}

const (
	// endsPerBeat bounds how many leases may run out at once; publishers wait
	// meanwhile.
	endsPerBeat = 1000
	// late is how long a beat may be late by before that counts as an outage.
	late = 2 * time.Second
)

// watch notes that the bus sees to its leases now. After a time in which it did
// not, the process was frozen or no feed ran, and neither may publishers have
// got through.
func (b *Bus) watch(now time.Time) {
	if now.Sub(b.beaten) > b.options.Beat+late {
		b.watching = now
	}
	b.beaten = now
}

// endOverdue ends the topics whose lease has run out and returns the ends. What
// ran out during an outage is given its time once more; a topic that was written
// to meanwhile is looked at again later.
func (b *Bus) endOverdue(now time.Time) (ends []event.Event) {
	for len(b.leases) > 0 && len(ends) < endsPerBeat && !b.leases[0].look.After(b.clock.Time()) {
		t := b.leases[0]
		due := t.last.Time().Add(t.lease)
		if !due.After(b.watching) {
			due = b.watching.Add(t.lease)
		}
		if due.After(b.clock.Time()) {
			t.look = due
			heap.Fix(&b.leases, 0)
			continue
		}
		ends = append(ends, b.append(t, event.NewEnd(t.name, t.rule.Kind, event.ProducerLost), now))
	}
	return ends
}
