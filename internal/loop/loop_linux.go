package loop

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Loop writes to its connections.
type Loop struct {
	options Options
	inbox   inbox
	poller  *poller
	running sync.WaitGroup

	// The writer's own.
	mail    mail
	queue   []*Conn // whose turn it is, in this order;
	served  int     // so many of them have had it
	table   table
	wheel   wheel
	sender  sender
	round   round
	now     time.Time
	timer   *time.Timer // for the wheel's next tick
	waiting bool        // for that
}

// New starts a loop. Close ends it.
func New(o Options) (*Loop, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	l := &Loop{options: o, poller: p, inbox: inbox{bell: make(chan struct{}, 1)}, timer: time.NewTimer(time.Hour),
		wheel: wheel{tick: o.Tick, begin: time.Now()}}
	l.timer.Stop()
	l.running.Go(l.run)
	l.running.Go(func() { p.run(&l.inbox) })
	return l, nil
}

// Add gives the loop a connection that is new, and its descriptor, which nobody
// else may use from now on. The source's Next is called soon.
func (l *Loop) Add(c *Conn, fd int, s Source) {
	c.loop, c.source, c.fd = l, s, int32(fd)
	if !l.inbox.offer(c) {
		_ = unix.Close(fd)
		s.Ended(ErrCut)
	}
}

// WakeAll wakes all connections.
func (l *Loop) WakeAll() { l.inbox.order(func(m *mail) { m.all = true }) }

// Cut ends all connections that there are, in the middle of whatever they are at.
func (l *Loop) Cut() { l.inbox.order(func(m *mail) { m.cut = true }) }

// Close does the same, ends the loop, and returns when it has ended.
func (l *Loop) Close() {
	l.inbox.order(func(m *mail) { m.over = true })
	l.running.Wait()
}

// slice is how many connections get their turn before the writer yields.
const slice = 64

// run is the writer.
func (l *Loop) run() {
	for l.collect(); !l.mail.over; l.collect() {
		l.now = time.Now()
		for _, w := range l.mail.words {
			l.heed(w)
		}
		if l.mail.cut {
			l.table.each(func(c *Conn) { l.end(c, ErrCut) })
		}
		if l.mail.all {
			l.table.each((*Conn).Wake)
		}
		l.wheel.advance(l.now, l.expire)
		l.turns()
		if l.busy() {
			runtime.Gosched()
		}
	}
	l.abandon()
}

// collect takes over what has come. With nothing to do, it waits for that, or
// for the wheel's next tick.
func (l *Loop) collect() {
	for {
		l.inbox.swap(&l.mail, l.busy())
		if l.busy() || !l.mail.empty() {
			return
		}
		if !l.waiting && l.wheel.count > 0 {
			l.timer.Reset(l.options.Tick)
			l.waiting = true
		}
		select {
		case <-l.inbox.bell:
		case <-l.timer.C:
			l.waiting = false
			return
		}
	}
}

// busy reports whether there are connections whose turn it is.
func (l *Loop) busy() bool { return l.served < len(l.queue) }

// turns gives some connections their turn.
func (l *Loop) turns() {
	if !l.busy() {
		clear(l.queue)
		l.queue, l.mail.ready, l.served = l.mail.ready, l.queue[:0], 0
	} else {
		l.queue = append(l.queue, l.mail.ready...)
		clear(l.mail.ready)
	}
	end := min(l.served+slice, len(l.queue))
	l.round.of(l.queue[l.served:end], l)
	l.served = end
}

// abandon ends all connections, those too that have never had a turn.
func (l *Loop) abandon() {
	l.table.each(func(c *Conn) { l.end(c, ErrCut) })
	for _, c := range slices.Concat(l.queue[l.served:], l.mail.ready) {
		if c.source != nil {
			l.end(c, ErrCut)
		}
	}
	_ = l.poller.file.Close()
}
