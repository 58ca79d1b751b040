package simulation

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// agenda is what is to be done when. One goroutine does it all, one thing after
// the other, so what is done there needs no locks, and comes in the same order
// each time.
type agenda struct {
	mu    sync.Mutex
	list  appointments
	count int
	more  chan struct{} // holds a token while the list may begin earlier than it did
}

type appointment struct {
	at     time.Time
	number int // of two at one time, the one that was made first comes first
	do     func()
}

func newAgenda() *agenda { return &agenda{more: make(chan struct{}, 1)} }

// at has something done at a time. It may be called from any goroutine.
func (a *agenda) at(t time.Time, do func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	heap.Push(&a.list, appointment{t, a.count, do})
	if a.list[0].number == a.count {
		select {
		case a.more <- struct{}{}:
		default:
		}
	}
}

// in has something done after a while.
func (a *agenda) in(d time.Duration, do func()) { a.at(time.Now().Add(d), do) }

// wait has something done now, and returns when it has been.
func (a *agenda) wait(do func()) {
	done := make(chan struct{})
	a.in(0, func() { do(); close(done) })
	<-done
}

// run does what there is to do until ctx ends.
func (a *agenda) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		next, wait := a.next()
		if next != nil {
			next()
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-a.more:
		case <-timer.C:
		}
	}
}

// next takes what is due off the list, or returns how long there is nothing.
func (a *agenda) next() (do func(), wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) == 0 {
		return nil, time.Hour
	}
	if wait = time.Until(a.list[0].at); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&a.list).(appointment).do, 0
}

// appointments is a heap: the next one comes first.
type appointments []appointment

func (l appointments) Len() int      { return len(l) }
func (l appointments) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l appointments) Less(i, j int) bool {
	if !l[i].at.Equal(l[j].at) {
		return l[i].at.Before(l[j].at)
	}
	return l[i].number < l[j].number
}
func (l *appointments) Push(x any) { *l = append(*l, x.(appointment)) }
func (l *appointments) Pop() any {
	last := len(*l) - 1
	x := (*l)[last]
	(*l)[last] = appointment{}
	*l = (*l)[:last]
	return x
}
