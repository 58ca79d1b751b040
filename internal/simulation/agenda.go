package simulation

import (
	"cmp"
	"container/heap"
	"context"
	"sync"
	"testing/synctest"
	"time"
)

// agenda is what is to be done when. One goroutine does it all, one thing after
// the other, so what is done there needs no locks. It does the next thing when
// all that came of the one before is done and everybody waits, so that things
// come in the same order each time, however fast who runs beside it.
type agenda struct {
	mu    sync.Mutex
	list  appointments
	count int
	more  chan struct{} // holds a token while the list may begin earlier than it did
}

type appointment struct {
	at     time.Time
	who    string // of two at one time, names say which comes first
	number int    // of two of one name, the one that was made first
	do     func()
}

func newAgenda() *agenda { return &agenda{more: make(chan struct{}, 1)} }

// at has something done at a time. It may be called from any goroutine. Those
// who may call it at the same moment have names of their own.
func (a *agenda) at(t time.Time, who string, do func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	heap.Push(&a.list, appointment{t, who, a.count, do})
	if a.list[0].number == a.count {
		select {
		case a.more <- struct{}{}:
		default:
		}
	}
}

// in has something done after a while.
func (a *agenda) in(d time.Duration, who string, do func()) { a.at(time.Now().Add(d), who, do) }

// wait has something done now, and returns when it has been.
func (a *agenda) wait(who string, do func()) {
	done := make(chan struct{})
	a.in(0, who, func() { do(); close(done) })
	<-done
}

// run does what there is to do until ctx ends.
func (a *agenda) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		synctest.Wait()
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
	return cmp.Or(l[i].at.Compare(l[j].at), cmp.Compare(l[i].who, l[j].who), cmp.Compare(l[i].number, l[j].number)) < 0
}
func (l *appointments) Push(x any) { *l = append(*l, x.(appointment)) }
func (l *appointments) Pop() any {
	last := len(*l) - 1
	x := (*l)[last]
	(*l)[last] = appointment{}
	*l = (*l)[:last]
	return x
}
