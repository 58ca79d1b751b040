// Package membus is the bus inside one process: the same promises as the bus
// over Redis, kept in memory. What it holds is gone when the process ends, and
// clients that come back are told so.
package membus

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tickertape/internal/event"
)

// Options are the limits of a Bus. Zero fields mean the defaults.
type Options struct {
	Rules        event.Rules     // what is kept of which topic
	Retention    event.Retention // of each topic
	MaxBytes     int             // of all topics together; over it publishes are refused. 1 GiB
	RememberKeys time.Duration   // how long idempotency keys are remembered. 5 min
	// RememberProducers is how long a producer's number is remembered after
	// its last message. 24 h
	RememberProducers time.Duration
	MaxTopics         int           // that there may be at once; a publish that would begin one more is refused. 1,000,000
	Beat              time.Duration // how often the watermark follows the clock. 1 s
}

func (o Options) withDefaults() Options {
	o.Retention = o.Retention.WithDefaults()
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.RememberKeys == 0 {
		o.RememberKeys = 5 * time.Minute
	}
	if o.RememberProducers == 0 {
		o.RememberProducers = 24 * time.Hour
	}
	if o.MaxTopics == 0 {
		o.MaxTopics = 1_000_000
	}
	if o.Beat == 0 {
		o.Beat = time.Second
	}
	return o
}

// store tells the cursors of this kind of bus from those of others.
const store = 0x6d62

// Bus implements hub.Bus. Its methods may be called from any goroutine.
type Bus struct {
	options Options

	// mu covers everything below, and is held while sinks are fed: that is
	// what makes the feed one order. Nothing under it blocks.
	mu        sync.Mutex
	epoch     event.Epoch
	began     event.Position
	clock     event.Position
	forgotten event.Position
	topics    map[event.Topic]*topic
	keys      keyring
	producers producers
	leases    leases
	rates     *rates
	beaten    time.Time // when the last beat was
	watching  time.Time // since when there are beats
	bytes     int
	sinks     map[*event.Sink]struct{}
	closed    bool
}

// New returns an empty Bus: a new store, in its first epoch.
func New(o Options) *Bus {
	began := event.Position{}.Next(time.Now())
	return &Bus{
		options: o.withDefaults(),
		epoch:   event.Epoch{Store: store, Number: 1, Nonce: rand.Uint32()},
		began:   began,
		clock:   began,
		topics:  map[event.Topic]*topic{},
		keys:    keyring{known: map[scopedKey]remembered{}},
		sinks:   map[*event.Sink]struct{}{},

		producers: newProducers(),
		rates:     newRates(),
		beaten:    began.Time(),
		watching:  began.Time(),
	}
}

// Name says what kind of bus it is.
func (b *Bus) Name() string { return "memory (this process only; history ends with it)" }

// Ready returns nil: memory does not go away.
func (b *Bus) Ready() error { return nil }

// Run feeds the sink until ctx ends.
func (b *Bus) Run(ctx context.Context, sink event.Sink) error {
	b.mu.Lock()
	b.sinks[&sink] = struct{}{}
	sink.Feed(event.Stretch{Clock: b.now()})
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.sinks, &sink)
	}()
	tick := time.NewTicker(b.options.Beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			b.beat(time.Now())
		}
	}
}

// beat ends what nobody writes to any more, lets go of what is too old and lets
// the watermark follow the clock.
func (b *Bus) beat(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Next(now)
	b.watch(b.clock.Time())
	ends := b.endOverdue(now)
	b.bytes -= b.keys.expire(now) + b.producers.expire(now)
	b.sweep(now)
	b.feed(ends)
}

// sweepPage bounds how many topics one beat looks at. The order of a map is
// random, so every topic has its turn.
const sweepPage = 1000

func (b *Bus) sweep(now time.Time) {
	looked := 0
	for name, t := range b.topics {
		if looked++; looked > sweepPage {
			return
		}
		b.bytes -= t.expire(now, b.options.Retention.Age)
		if t.len() == 0 && t.lease == 0 { // else its end is still to come
			b.forgotten = event.Latest(b.forgotten, t.last)
			b.bytes -= t.overhead()
			delete(b.topics, name)
		}
	}
}

func (b *Bus) feed(events []event.Event) {
	for sink := range b.sinks {
		(*sink).Feed(event.Stretch{Clock: b.now(), Events: events})
	}
}

func (b *Bus) now() event.Clock {
	return event.Clock{Epoch: b.epoch, Position: b.clock, Began: b.began}
}

// Clock reads the clock.
func (b *Bus) Clock(ctx context.Context) (event.Clock, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now(), ctx.Err()
}

// Close ends publishing: what was acknowledged has been fed to every sink when
// it returns, and nothing more will be acknowledged.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// History reads a part of a topic.
func (b *Bus) History(ctx context.Context, r event.Range) (event.Page, error) {
	if err := ctx.Err(); err != nil {
		return event.Page{}, &event.UnavailableError{RetryAfter: time.Second, Err: err}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[r.Topic]
	if t == nil {
		t = newTopic(r.Topic, b.options.Rules.Of(r.Topic), b.forgotten, b.options.Retention.Age)
	}
	if t.rule.Kind == event.KindEphemeral {
		return event.Page{Epoch: b.epoch, After: r.After, Upto: r.Upto}, nil
	}
	b.bytes -= t.expire(time.Now(), b.options.Retention.Age)
	page := t.page(r)
	page.Epoch = b.epoch
	return page, nil
}

// Topics lists topics by name.
func (b *Bus) Topics(ctx context.Context, match *event.Selector, after event.Topic, limit int) ([]event.TopicInfo, error) {
	names := b.names()
	names = slices.DeleteFunc(names, func(name event.Topic) bool {
		return name <= after || match != nil && !match.Match(name)
	})
	slices.Sort(names)
	b.mu.Lock()
	defer b.mu.Unlock()
	var infos []event.TopicInfo
	for _, name := range names {
		if t := b.topics[name]; t != nil && len(infos) < limit {
			infos = append(infos, t.info(b.epoch))
		}
	}
	return infos, ctx.Err()
}

// names returns all topics. Publishers wait meanwhile, so it does nothing
// else.
func (b *Bus) names() []event.Topic {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.topics))
}

// Topic describes one topic.
func (b *Bus) Topic(ctx context.Context, name event.Topic) (event.TopicInfo, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[name]
	if t == nil {
		return event.TopicInfo{Topic: name}, false, ctx.Err()
	}
	return t.info(b.epoch), true, ctx.Err()
}

// Active lists topics with something behind a position.
func (b *Bus) Active(ctx context.Context, match event.Selector, since event.Position, limit int) (event.Activity, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := event.Activity{Epoch: b.epoch, Forgotten: b.forgotten}
	for name, t := range b.topics {
		if len(a.Topics) < limit && t.last.After(since) && match.Match(name) {
			a.Topics = append(a.Topics, name)
		}
	}
	return a, ctx.Err()
}
