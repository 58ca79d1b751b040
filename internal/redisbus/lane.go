package redisbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"tickertape/internal/event"
)

const (
	// callTime is how long Redis may take for one call before the lane
	// tries its luck on a new connection.
	callTime = 2 * time.Second
	// publishTime is how long a publish may take that has no deadline.
	publishTime = 5 * time.Second

	// Between tries to reach Redis, ± 50 %. The longest one is short enough
	// for all to be well within a second of its return.
	firstPause = 50 * time.Millisecond
	longPause  = 250 * time.Millisecond

	// laneTime is how long Redis is sure to remember a call; the scripts
	// have it forget a lane after twice that.
	laneTime = 5 * time.Minute
)

// lane is the one way by which this node writes: one connection, one call at a
// time, each taking what has piled up meanwhile. So what one producer sends
// keeps its order, and of one call at most it is not known whether it was
// taken.
type lane struct {
	bus   *Bus
	name  string
	queue *queue
	stale atomic.Bool // the connection may be to a server that is not the primary any more

	// What follows belongs to the goroutine that runs.
	session *session
	server  string // the run id of the last session's
	number  int64
	doubt   *call // sent, and never answered
	room    room
}

func newLane(b *Bus) *lane {
	return &lane{bus: b, name: fmt.Sprintf("%016x%016x", b.options.Random(math.MaxInt64), b.options.Random(math.MaxInt64)), queue: newQueue()}
}

// do has the group taken and waits for its outcome. If ctx ends before, it
// takes the group back; the error says whether that came too late.
func (l *lane) do(ctx context.Context, g *group) outcome {
	if err := l.queue.push(g); err != nil {
		return outcome{err: err}
	}
	select {
	case o := <-g.done:
		return o
	case <-ctx.Done():
	}
	maybe := !l.queue.withdraw(g)
	select {
	case o := <-g.done: // both were ready
		return o
	default:
		return outcome{err: unavailable(l.bus.reason(errLate), maybe)}
	}
}

// renew has the lane look for the primary anew before its next call. It may be
// called from any goroutine.
func (l *lane) renew() {
	l.stale.Store(true)
	l.queue.signal()
}

// run works until ctx ends.
func (l *lane) run(ctx context.Context) {
	defer l.end()
	pause := firstPause
	for ctx.Err() == nil {
		err := l.work(ctx)
		if err == nil {
			pause = firstPause
			continue
		}
		l.drop()
		if ctx.Err() != nil {
			return
		}
		l.bus.fail(err)
		wait(ctx, l.bus.pause(pause))
		pause = min(2*pause, longPause)
	}
}

// work does one thing that there is to do: connect, clear up a doubt, or call.
func (l *lane) work(ctx context.Context) error {
	if l.session == nil {
		s, err := openSession(ctx, l.bus.primary, *l.bus.target.options)
		if err != nil {
			return err
		}
		l.session = s
		l.bus.judge(s.policy)
		if l.server != "" {
			l.bus.counts.laneReconnects.Add(1)
		}
		if l.server != "" && s.run != l.server {
			l.bus.renew(l.bus.reader()) // those connections may lead to the former one
		}
		l.server = s.run
	}
	if l.doubt != nil {
		return l.settle(ctx)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.queue.more:
	}
	if l.stale.Swap(false) || l.bus.primary.left(&l.session.place) {
		l.drop()
		l.queue.signal()
		return nil
	}
	groups := l.queue.take()
	if len(groups) == 0 {
		return nil
	}
	l.number++
	return l.call(ctx, newCall(l.number, groups, l.bus.witness.now(), l.bus.options.Rules))
}

// call makes a call and hands out what came of it.
func (l *lane) call(ctx context.Context, c *call) error {
	a := c.arguments(l, l.session)
	c.sent = l.session.inRedis(time.Now())
	callCtx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	answer, err := l.bus.scripts.publish.Run(callCtx, l.session.conn, a.keys, a.args...).Text()
	switch {
	case err == nil:
		if err := l.deliver(c, answer); err != nil {
			return err
		}
		l.session.time, l.session.read = c.taken, time.Now()
		return nil
	case elsewhere(err):
		l.queue.putBack(c.open()) // another server may take them in time
		return err
	case answered(err):
		l.refuse(c, explain(err), false)
		l.bus.fail(err)
		return nil
	}
	l.doubt = c
	return err
}

// deliver hands out an answer.
func (l *lane) deliver(c *call, text string) error {
	known := l.bus.witness.now()
	a, err := c.answer(l.bus.keys.store(), text, known)
	if err != nil {
		l.refuse(c, err, true)
		return err
	}
	c.taken = a.now
	clock := a.clock
	if clock.Epoch != known.Epoch && known.Epoch.Number > 0 {
		l.bus.log.Warn("Redis is another one, or was restarted: a new epoch", slog.String("epoch", formatEpoch(clock.Epoch)),
			slog.String("before", formatEpoch(known.Epoch)), slog.Bool("known", ended(clock, known.Epoch)))
	}
	l.bus.witness.learn(clock)
	l.bus.working()
	var early []*group
	for i, o := range a.outcomes {
		for i, r := range o.receipts {
			if next := i + 1; next < len(o.receipts) && o.receipts[next].Topic == r.Topic && behind(o.receipts[next].Cursor, r.Cursor) {
				continue // the topic's last one counts
			}
			l.bus.note(l.bus.options.Rules.Of(r.Topic).Kind, r.Topic, r.Cursor)
		}
		if g := c.groups[i]; errors.Is(o.err, errLate) && time.Until(g.deadline) > 0 {
			early = append(early, g) // Redis' clock has been set since it was read
		} else {
			g.done <- o
		}
	}
	if len(early) > 0 {
		l.queue.putBack(early)
	}
	return nil
}

func ended(c event.Clock, e event.Epoch) bool {
	_, ok := c.Ended[e]
	return ok
}

// settle finds out, on a new connection, what became of the call in doubt. The
// answer also keeps it from being taken later on: it may still be under way.
//
//	this node            a slow proxy         Redis
//	call 7               holds it
//	gives up, connects
//	asks for 7                                not here
//	sends it again as 8                       takes 8
//	                     lets it go           has 7 for done: refuses it
func (l *lane) settle(ctx context.Context) error {
	c := l.doubt
	callCtx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	k := l.bus.keys
	parts, err := l.bus.scripts.fence.Run(callCtx, l.session.conn, []string{k.lane(l.name), k.clock()}, c.number).StringSlice()
	if err != nil {
		return err
	}
	if len(parts) != 3 {
		return errAnswer
	}
	l.doubt = nil
	switch epoch, run, answer := parts[0], parts[1], parts[2]; {
	case answer != "":
		return l.deliver(c, answer)
	case epoch == formatEpoch(c.known.Epoch) && run == l.session.run && c.known.Epoch.Number > 0 &&
		l.session.inRedis(time.Now()).Sub(c.sent) < laneTime:
		l.queue.putBack(c.open()) // not taken, and never will be
	default:
		// Taken and lost, or not taken: the store that knew is gone, or
		// came back and may have forgotten; or its clock has leaped, so
		// that what it knew has expired.
		l.refuse(c, errUnknown, true)
	}
	return nil
}

// open returns the groups that somebody still waits for.
func (c *call) open() (groups []*group) {
	now := time.Now()
	for _, g := range c.groups {
		if g.deadline.After(now) {
			groups = append(groups, g)
		}
	}
	return groups
}

// refuse fails all groups of the call.
func (l *lane) refuse(c *call, err error, maybe bool) {
	for _, g := range c.groups {
		g.done <- outcome{err: unavailable(err, maybe)}
	}
}

// drop gives the connection up.
func (l *lane) drop() {
	if l.session != nil {
		l.session.close()
		l.session = nil
	}
}

// end fails what is left when the bus closes.
func (l *lane) end() {
	l.drop()
	if l.doubt != nil {
		l.refuse(l.doubt, errClosed, true)
	}
	for _, g := range l.queue.close() {
		g.done <- outcome{err: unavailable(errClosed, false)}
	}
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
