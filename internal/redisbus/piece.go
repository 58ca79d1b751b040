package redisbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"tickertape/internal/event"
)

// readers is how many connections the bus reads by, at most.
const readers = 8

func (b *Bus) newReader() *redis.Client {
	o := *b.target.options
	o.Dialer = b.primary.dialTo(&place{})
	o.PoolSize = readers
	return redis.NewClient(&o)
}

// reader returns the client that reads.
func (b *Bus) reader() *redis.Client {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reads
}

// renew leaves the connections to a server that is not the right one any more.
func (b *Bus) renew(old *redis.Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reads == old {
		b.reads = b.newReader()
		_ = old.Close()
	}
}

// piece is some of a topic's entries, and what the store says of the topic, as
// they stood at one moment.
type piece struct {
	epoch event.Epoch
	old   event.Position // what stands up to here is too old
	size  size           // of an entry of the log, on average
	list  []event.Event
	full  bool           // there are as many entries as were asked for: more may follow
	read  event.Position // the last entry, if so
	next  *event.Event   // the first event behind the range, if there is one
	empty bool           // the whole log is, so all that was in it has expired
	state state
}

// state is what the store says of a topic besides its events.
type state struct {
	last    event.Position
	gone    event.Position // the last one that was cut off, or expired with the whole log
	trimmed event.Position // by the publish that stands here; zero: it was too old
	lost    event.Position // where the last loss is told
	// before is what the topic had last before that: nothing of it lies
	// between, but more losses maybe.
	before event.Position
	losses []event.Position // where that and earlier losses are told
	kind   event.Kind
	end    *event.Event // nil: it has not ended
}

// loss returns where the last loss behind after is told, up to upto, or zero.
func (s state) loss(after, upto event.Position) event.Position {
	var last event.Position
	for _, p := range s.losses {
		if p.After(after) && !p.After(upto) {
			last = event.Latest(last, p)
		}
	}
	return last
}

// head reads no entries.
func (b *Bus) head(ctx context.Context, t event.Topic) (piece, error) { return b.piece(ctx, t, part{}) }

// piece reads a part in one transaction with the topic's state.
func (b *Bus) piece(ctx context.Context, t event.Topic, r part) (piece, error) {
	keys := []string{b.keys.clock(), b.keys.topics(), b.keys.meta(t), b.keys.log(t)}
	var entries, next *redis.XMessageSliceCmd
	head, err := b.onPrimary(ctx, func(client *redis.Client) ([]any, error) {
		var head *redis.Cmd
		_, err := client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			head = b.scripts.head.EvalSha(ctx, p, keys, string(t))
			if r.count > 0 {
				entries, next = r.read(ctx, p, b.keys.log(t))
			}
			return nil
		})
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			if err := b.scripts.head.Load(ctx, client).Err(); err != nil {
				return nil, err
			}
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return head.Slice()
	})
	if err != nil {
		return piece{}, err
	}
	p, err := b.parseHead(t, head)
	if err != nil || r.count == 0 {
		return p, err
	}
	err = p.fill(t, r, entries.Val(), next.Val())
	return p, err
}

// tries is how often a read is made that finds no answer: the script may have
// to be loaded, a call that writes has to come first, the connections may be
// to a server that is not the primary any more.
const tries = 4

// onPrimary makes a read whose answer begins with the store's epoch and the
// position of its clock, or is empty on any server but the one that wrote last.
// A primary that was demoted, or cut off, takes itself for that one: its epoch
// tells, or its clock, if it follows another one that has less and in which
// nobody has written yet. A call that writes finds out what became of the
// store, and the read is made again, on new connections if need be.
func (b *Bus) onPrimary(ctx context.Context, read func(*redis.Client) ([]any, error)) ([]any, error) {
	last := errElsewhere
	for try := range tries {
		client, known := b.reader(), b.witness.now()
		answer, err := read(client)
		switch lost := client != b.reader() || try == 0 && broken(err) != ""; {
		case elsewhere(err) || says(err, "EXECABORT"): // what a transaction was refused for stands before it
		case err != nil && lost && ctx.Err() == nil:
			continue // its connections were left meanwhile, or broke while nobody used them
		case err != nil || b.isPresent(answer, known):
			return answer, err
		case try == 0:
			continue
		}
		if _, err := b.readClock(ctx); err != nil {
			return nil, err
		}
		if err != nil {
			last = err
		}
		if err != nil || try > 1 {
			b.renew(client)
		}
	}
	return nil, last
}

// isPresent reports whether the answer is of the store as it is, and not as it
// was before the clock stood where it was known to stand.
func (b *Bus) isPresent(answer []any, known event.Clock) bool {
	r := valueReader{values: answer}
	epoch, clock := r.text(), r.position()
	return !r.failed && epoch == formatEpoch(b.witness.now().Epoch) &&
		(epoch != formatEpoch(known.Epoch) || !known.Position.After(clock))
}

// parseHead reads an answer of head.lua.
func (b *Bus) parseHead(t event.Topic, answer []any) (piece, error) {
	r := valueReader{values: answer}
	epoch, err := parseEpoch(b.keys.store(), r.text())
	_ = r.position() // of the clock
	p := piece{epoch: epoch, old: b.oldest(time.UnixMilli(r.number()))}
	entries, bytes, messages := int(r.number()), int(r.number()), int(r.number())
	p.empty = entries == 0
	p.state = state{last: r.position(), gone: r.position(), trimmed: r.position(), lost: r.position(), before: r.position()}
	var bad error
	for _, at := range strings.Fields(r.text()) {
		loss, err := event.ParsePosition(at)
		bad = errors.Join(bad, err)
		p.state.losses = append(p.state.losses, loss)
	}
	kind, known := parseMark(r.text())
	if p.state.kind = kind; kind == event.KindLatest {
		p.old = event.Position{} // a table has no age but as a whole
		messages = entries
	}
	p.size = average(entries, messages, bytes)
	end, badEnd := b.parseEnd(t, kind, r.text())
	if p.state.end = end; err != nil || bad != nil || badEnd != nil || !known || r.failed {
		return piece{}, errAnswer
	}
	return p, nil
}

// parseEnd reads what meta says of a topic's end: "<status> <position> <prev>", or
// nothing.
func (b *Bus) parseEnd(t event.Topic, k event.Kind, text string) (*event.Event, error) {
	if text == "" {
		return nil, nil
	}
	words := strings.Fields(text)
	if len(words) != 3 {
		return nil, errAnswer
	}
	position, err := event.ParsePosition(words[1])
	if err != nil {
		return nil, fmt.Errorf("the end of %s: %w", t, err)
	}
	prev, err := event.ParsePosition(words[2])
	if err != nil {
		return nil, fmt.Errorf("the end of %s: %w", t, err)
	}
	e := event.NewEnd(t, k, event.Status(words[0]))
	e.Epoch, e.Position, e.Prev = b.witness.now().EpochOf(position), position, prev
	return &e, nil
}
