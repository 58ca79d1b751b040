package redisbus

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"tickertape/internal/event"
)

// readers is how many connections the bus reads by, at most.
const readers = 8

func newReader(o redis.Options) *redis.Client {
	o.PoolSize = readers
	return redis.NewClient(&o)
}

// reader returns the client that reads.
func (b *Bus) reader() *redis.Client {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reads
}

// History reads a part of a topic.
func (b *Bus) History(ctx context.Context, r event.Range) (event.Page, error) {
	limit, bytes := r.Limit, r.Bytes
	if limit == 0 {
		limit = math.MaxInt32
	}
	if bytes == 0 {
		bytes = math.MaxInt32
	}
	keys := []string{b.keys.clock(), b.keys.topics(), b.keys.log(r.Topic), b.keys.meta(r.Topic)}
	answer, err := b.read(ctx, b.scripts.read, keys, string(r.Topic), r.After.String(), r.Upto.String(),
		r.Last, limit, bytes, b.options.Retention.Age.Milliseconds())
	if err != nil {
		return event.Page{}, unavailable(explain(err), false)
	}
	page, err := b.page(r, answer)
	if err != nil {
		return event.Page{}, unavailable(err, false)
	}
	return page, nil
}

// read runs a script that only reads. If the server is not the one that wrote
// last, or its epoch another one, that is found out by a call that writes, on a
// new connection if need be, and the read made again. A primary that was
// demoted, or cut off, takes itself for the one: its epoch tells.
func (b *Bus) read(ctx context.Context, script *redis.Script, keys []string, args ...any) ([]any, error) {
	for try := 0; ; try++ {
		client := b.reader()
		answer, err := script.Run(ctx, client, keys, args...).Slice()
		if err != nil && client != b.reader() && try < 2 {
			continue // its connections were left meanwhile
		}
		if err != nil || len(answer) > 0 && answer[0] == formatEpoch(b.witness.now().Epoch) {
			return answer, err
		}
		if try == 2 {
			return nil, errElsewhere
		}
		if _, err := b.readClock(ctx); err != nil {
			return nil, err
		}
		if try > 0 {
			b.renew(client)
		}
	}
}

// renew leaves the connections to a server that is not the right one any more.
func (b *Bus) renew(old *redis.Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reads == old {
		b.reads = newReader(*b.redis)
		_ = old.Close()
	}
}

// entries is a page as read.lua answers it.
type entries struct {
	epoch event.Epoch
	now   int64
	after event.Position
	cut   bool
	list  []entry
	// next is Prev of the first event behind the page, if more follows.
	next  event.Position
	more  bool
	state state
}

type entry struct {
	event event.Event
	prev  event.Position
}

// state is what the store says of a topic besides its events.
type state struct {
	last  event.Position
	gone  event.Position // the last one that was cut off
	since event.Position // of a trim: the position of the publish that did it
	lost  event.Position // where the last loss is told
	// before is what the topic had last before that: nothing of it lies
	// between, but more losses maybe.
	before event.Position
}

// page makes a page of an answer: a hole is wherever an entry's prev lies
// behind what the reader is complete to.
func (b *Bus) page(r event.Range, answer []any) (event.Page, error) {
	x, err := b.entries(r.Topic, answer)
	if err != nil {
		return event.Page{}, err
	}
	epochs := b.witness.now()
	if epochs.Epoch != x.epoch {
		return event.Page{}, errElsewhere // the feed will come to it
	}
	page := event.Page{Epoch: x.epoch, After: x.after, Upto: r.Upto}
	complete := x.after
	hole := func(end event.Position) {
		page.Gaps = append(page.Gaps, b.gap(x, complete, end))
		complete = end
	}
	for _, e := range x.list {
		if e.prev.After(complete) {
			hole(e.prev)
		}
		e.event.Epoch = epochs.EpochOf(e.event.Position)
		page.Events = append(page.Events, e.event)
		complete = e.event.Position
	}
	end := x.next
	if !x.more {
		end = x.state.last
	}
	switch {
	case x.cut:
		page.Upto = complete
	case !end.After(complete):
	case !end.After(r.Upto):
		hole(end)
	case end == x.state.lost && !x.state.before.After(complete): // that is told behind the range
	case len(page.Events) > 0:
		page.Upto = complete // what follows tells of the hole
	default:
		page.Upto = page.After
		page.Gaps = []event.Gap{b.gap(x, complete, end)}
	}
	return page, nil
}

// gap words the hole behind complete that ends at end.
func (b *Bus) gap(x entries, complete, end event.Position) event.Gap {
	age := b.options.Retention.Age
	old := event.Before(time.UnixMilli(x.now).Add(-age))
	s := x.state
	trimmed := event.Position{}
	if s.gone.After(complete) {
		trimmed = s.since
	}
	switch {
	case end == s.lost:
		since := event.Latest(end, trimmed)
		if !old.After(complete) {
			return event.Gap{Position: end, Since: since, Reason: event.StoreLost}
		}
		return event.Gap{Position: end, Since: event.Latest(since, old.Add(age)), Reason: event.StoreLost}
	case end == s.gone && !s.since.IsZero():
		return event.Gap{Position: end, Since: s.since, Reason: event.Trimmed}
	case end == s.gone, !end.After(old), len(x.list) == 0 && !x.more && end == s.last:
		return event.Gap{Position: end, Since: end.Add(age), Reason: event.Expired}
	}
	return event.Gap{Position: end, Since: event.Latest(end, trimmed), Reason: event.StoreLost}
}

// entries reads an answer of read.lua.
func (b *Bus) entries(t event.Topic, answer []any) (entries, error) {
	if len(answer) != 11 {
		return entries{}, errAnswer
	}
	r := valueReader{values: answer}
	var x entries
	epoch, err := parseEpoch(b.keys.store(), r.text())
	if err != nil {
		return entries{}, err
	}
	x.epoch, x.now, x.after, x.cut = epoch, r.number(), r.position(), r.number() == 1
	for _, v := range r.list() {
		e, err := parseEntry(t, v)
		if err != nil {
			return entries{}, err
		}
		x.list = append(x.list, e)
	}
	x.more = answer[5] != ""
	x.next = r.position()
	x.state = state{last: r.position(), gone: r.position(), since: r.position(), lost: r.position(), before: r.position()}
	if r.failed {
		return entries{}, errAnswer
	}
	return x, nil
}

// parseEntry reads an entry of a topic's log.
func parseEntry(t event.Topic, v any) (entry, error) {
	r := valueReader{values: asList(v)}
	id, fields := r.position(), valueReader{values: r.list()}
	var e entry
	values := map[string]string{}
	for len(fields.values) > 1 {
		name := fields.text()
		values[name] = fields.text()
	}
	prev, err := event.ParsePosition(values["prev"])
	if r.failed || fields.failed || err != nil {
		return e, fmt.Errorf("%w: the log of %s", errAnswer, t)
	}
	e.prev = prev
	e.event = event.Event{Position: id, Prev: prev, Topic: t, Name: values["event"], Key: values["key"],
		Data: event.Data{Text: values["data"], JSON: strings.Contains(values["flags"], jsonKind)}}
	return e, nil
}

// valueReader takes values off an answer and remembers the first failure.
type valueReader struct {
	values []any
	failed bool
}

func (r *valueReader) next() any {
	if len(r.values) == 0 {
		r.failed = true
		return nil
	}
	v := r.values[0]
	r.values = r.values[1:]
	return v
}

func (r *valueReader) text() string {
	s, ok := r.next().(string)
	r.failed = r.failed || !ok
	return s
}

func (r *valueReader) number() int64 {
	n, ok := r.next().(int64)
	r.failed = r.failed || !ok
	return n
}

func (r *valueReader) list() []any { return asList(r.next()) }

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// position reads a position; none at all is the zero one.
func (r *valueReader) position() event.Position {
	s := r.text()
	if s == "" {
		return event.Position{}
	}
	p, err := event.ParsePosition(s)
	r.failed = r.failed || err != nil
	return p
}
