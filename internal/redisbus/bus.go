// Package redisbus is the bus over Redis, which joins any number of nodes. It
// is the only package that knows Redis.
//
// Writing. A node writes by its lane (lane.go): one connection, one script at a
// time (publish/*.lua), which stores messages and announces them on the wire, a
// channel, in one atomic step. Each announcement says where the store's clock
// stood before and after it, so they form a chain. What comes to a log one right
// after the other is one entry of it, and one piece of the announcement (pack.go).
//
// Hearing. A feed (feed.go) listens to the wire. Where the chain breaks, or the
// subscription was made anew, it reads the clock, after it is sure to hear
// what comes behind, and tells the hub that what lies up to there has to be
// read.
//
// Epochs. A store that comes back may be older than it was. Every call names
// the server run that its connection was made to, and how far its node has seen
// the clock go. If that is not the run that wrote last, or the clock stands
// before that, the script begins a new epoch and notes where the old one ended.
// Nodes know what was there beyond that end (witness.go), and report it: the
// topics concerned get a position at which the loss is told.
//
// Finding. A URL names the primary, or those who know where it is: Sentinels, or
// nodes of a Cluster (primary.go, search.go). Each connection looks for it
// first, and a goroutine does with each beat: lane and feed leave a server
// that is not the primary any more, and what reads follows the lane. Redirections are not
// followed, nor does a client of go-redis look for a primary of its own: a
// connection leads to one server as long as it lives.
//
// Reading. History is read (history.go, piece.go) together with a script
// (head.lua) that checks that it runs where the last write ran, so never on a
// replica or a server that came back and was not written to yet.
//
// Rates. How much somebody has published stands in Redis (rates.go); a node takes
// some of what is left ahead, so that not each publish asks.
package redisbus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"tickertape/internal/event"
	"tickertape/internal/recent"
)

// Bus implements hub.Bus. Its methods may be called from any goroutine.
type Bus struct {
	options Options
	target  target
	primary *primary
	keys    keys
	scripts scripts
	log     *slog.Logger
	witness *witness
	lane    *lane
	accord  *accord
	purses  *purses
	counts  counts
	stop    func()

	mu     sync.Mutex
	reads  *redis.Client
	fault  error  // why the lane does not work
	worked bool   // it has once
	policy error  // the server may drop what it should keep
	named  string // that policy
	beats  [2]event.Position
	feeds  map[*feed]error // why a feed hears nothing; nil: it does

	searched time.Time // when Clock last had the primary looked for
}

// Open returns a Bus that goes to work at once, and waits for its Redis if
// need be. The only errors are those of the options. Close ends it.
func Open(o Options) (*Bus, error) {
	o = o.withDefaults()
	target, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if err := checkPrefix(o.Prefix); err != nil {
		return nil, err
	}
	b := &Bus{options: o, target: target, keys: keys{o.Prefix, target.options.DB}, scripts: newScripts(), log: o.Log,
		witness: newWitness(o.Retention.Age), feeds: map[*feed]error{}, fault: errAway, named: "unread",
		accord: newAccord(o.Rules.Digest(), o.Log), purses: recent.NewMap[string, *purse](aheadKnown)}
	b.primary = newPrimary(target, b.keys.clock(), o.Dial, o.Log)
	b.reads = b.newReader()
	b.lane = newLane(b)
	// All that go-redis has to say comes to us as errors; what it logs is
	// the same again, for the whole process, on standard error.
	redis.SetLogger(chatter{o.Log})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.lane.run(ctx) })
	running.Go(func() { b.beat(ctx) })
	running.Go(func() { b.primary.watch(ctx, o.Beat) })
	b.stop = func() { cancel(); running.Wait() }
	return b, nil
}

// chatter logs what go-redis logs, for those who debug.
type chatter struct{ log *slog.Logger }

// Printf implements go-redis' Logging.
func (c chatter) Printf(ctx context.Context, format string, args ...any) {
	c.log.DebugContext(ctx, fmt.Sprintf(format, args...))
}

// Close ends the bus. What was not acknowledged by then fails; feeds have to
// have ended before.
func (b *Bus) Close() {
	b.stop()
	b.mu.Lock()
	_ = b.reads.Close()
	b.mu.Unlock()
	b.primary.close()
}

// Name says what kind of bus it is.
func (b *Bus) Name() string { return b.target.String() }

// Publish stores and announces messages.
func (b *Bus) Publish(ctx context.Context, messages []event.Message) ([]event.Receipt, error) {
	for i, m := range messages {
		if err := b.options.Rules.Check(m, b.options.Retention); err != nil {
			return nil, &event.ItemError{Index: i, Err: err}
		}
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(publishTime)
		bounded, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		ctx = bounded
	}
	o := b.lane.do(ctx, newGroup(messages, nil, deadline))
	return o.receipts, o.err
}

// anew is how often at most the primary is looked for because of a cursor.
const anew = 5 * time.Second

// Clock reads the store's clock. It does so by a call that writes: only the
// server that takes those is the one whose clock counts. A hub asks for the
// sake of cursors that it cannot place: one may come from a node that has
// found another primary already. So this node looks for it again, but not for
// every cursor that somebody made up.
func (b *Bus) Clock(ctx context.Context) (event.Clock, error) {
	if b.maySearch(time.Now()) {
		b.lane.renew()
	}
	return b.readClock(ctx)
}

func (b *Bus) maySearch(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.searched) < anew {
		return false
	}
	b.searched = now
	return true
}

// Ready returns nil while beats come back through Redis, else why they do not.
func (b *Bus) Ready() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault != nil {
		return b.fault
	}
	for _, err := range b.feeds {
		if err != nil {
			return fmt.Errorf("the node does not hear what is published: %w", err)
		}
	}
	return b.policy
}

// fail takes in why the lane does not work.
func (b *Bus) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	news := b.fault == nil || b.fault.Error() != explain(err).Error()
	b.fault = explain(err)
	if news {
		b.log.Warn("no writing to Redis", slog.Any("error", b.fault))
	}
}

// working takes in that the lane works.
func (b *Bus) working() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault != nil {
		b.log.Info("Redis takes what is written")
	}
	b.fault, b.worked = nil, true
}

// judge takes in what the server does when its memory is full.
func (b *Bus) judge(policy string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if policy == b.named {
		return
	}
	mended := b.policy != nil
	b.named, b.policy = policy, nil
	switch policy {
	case "noeviction":
		if mended {
			b.log.Info("the maxmemory-policy of Redis is noeviction again")
		}
	case "":
		b.log.Warn("Redis does not tell its maxmemory-policy; it has to be noeviction, or events are lost in silence")
	default:
		b.policy = fmt.Errorf("the maxmemory-policy of Redis is %s, which may drop events in silence; it has to be noeviction", policy)
		b.log.Error("wrong setting", slog.Any("error", b.policy))
	}
}

// pause returns d ± 50 %.
func (b *Bus) pause(d time.Duration) time.Duration {
	return d/2 + time.Duration(b.options.Random(int64(d)))
}

// reason returns why the lane does not work, or other if it does.
func (b *Bus) reason(other error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault != nil {
		return b.fault
	}
	return other
}

// hopeless returns a fault that will not mend, if there is one from the start.
func (b *Bus) hopeless() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.worked && lasting(b.fault) {
		return b.fault
	}
	return nil
}

// accepted takes in that the store took a beat.
func (b *Bus) accepted(p event.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.beats = [2]event.Position{b.beats[1], p}
}

// overdue returns the position of a beat that was accepted so long ago that
// every feed should have heard it.
func (b *Bus) overdue() event.Position {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.beats[0]
}

var errPrefix = fmt.Errorf("the prefix of the keys has to have a hash tag in braces and no spaces, like %q", DefaultPrefix)
