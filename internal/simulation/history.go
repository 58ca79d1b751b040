package simulation

import (
	"strconv"
	"strings"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
)

// prefix is that of all keys.
const prefix = redisbus.DefaultPrefix

// The history of the stores is a tree. Each thing that a store takes in, an
// event or the report of a loss, is a fact behind the one before. A store that
// begins with the data of another one, as they stood at some moment, goes on
// from the fact that was the last one then: from there its history and the
// other's differ. What lies on another branch is lost to it.

// fact is one of them.
type fact struct {
	parent *fact
	era    *era
	at     event.Position
	prev   event.Position // what the store says that the topic had last before
	topic  event.Topic
	number int         // of the message; -1: it is the report of a loss
	of     event.Epoch // in which that was
	when   time.Time   // by the world's clock
	shown  time.Time   // by the store's own
	cuts   bool        // with it, some of the topic's oldest were cut off
}

func (f *fact) loss() bool { return f.number < 0 }

// era is an epoch, as far as one store has it.
type era struct {
	epoch event.Epoch
	store *store // the only one that writes in it
	prior *era
	ended event.Position // where the one before ended
	began event.Position
	clock event.Position // the last that was given out
	head  *fact          // the last in it or before it
}

// fork returns the era as a store has it that goes on from a fact of it.
func (e *era) fork(head *fact) *era {
	own := *e
	own.head = head
	return &own
}

// in returns where a cursor stands in the history that leads to the era, and
// whether that has the cursor's epoch at all.
func (e *era) in(c event.Cursor) (event.Position, bool) {
	for limit := (event.Position{MS: 1 << 47}); e != nil; e = e.prior {
		if e.epoch == c.Epoch {
			return event.Earliest(c.Position, limit), true
		}
		limit = e.ended
	}
	return event.Position{}, false
}

// of returns the epoch that gave out a position of the history that leads to
// the era.
func (e *era) of(p event.Position) event.Epoch {
	for e.prior != nil && !p.After(e.ended) {
		e = e.prior
	}
	return e.epoch
}

// gave reports whether a cursor is one as streams in the era have it: it names
// the epoch that gave out its position or, in the middle of a replay, the place
// where that opened.
func (e *era) gave(c event.Cursor) bool {
	return c.Epoch == e.of(event.Latest(c.Position, c.Opened))
}

// place returns a cursor of a stream in the era, as one of the epoch that gave
// out its position: so much has the client seen, whatever becomes of the era.
func (e *era) place(c event.Cursor) event.Cursor {
	c.Epoch = e.of(c.Position)
	return c
}

// has reports whether the history that leads to the era has the fact.
func (e *era) has(f *fact) bool {
	for x := e.head; x != nil && !f.at.After(x.at); x = x.parent {
		if x == f {
			return true
		}
	}
	return false
}

// find returns the event at a position, or nil.
func (e *era) find(p event.Position) *fact {
	for x := e.head; x != nil && !p.After(x.at); x = x.parent {
		if x.at == p && !x.loss() {
			return x
		}
	}
	return nil
}

// vague reports whether the store cannot tell that there was nothing more of a
// topic between two positions: all of it has expired, and of its last event
// only the millisecond is left in the books, or was when the topic went on.
func (e *era) vague(t event.Topic, from, upto event.Position) bool {
	last, only := e.store.scored(t)
	for x := e.head; x != nil; x = x.parent {
		if x.topic != t {
			continue
		}
		if only && last.After(from) && !upto.After(last) {
			return !e.store.has(x)
		}
		last, only = x.prev, x.prev == endOf(x.prev.MS)
	}
	return false
}

// cut reports whether some of a topic was ever cut off in the history that leads
// to the era.
func (e *era) cut(t event.Topic) bool {
	for x := e.head; x != nil; x = x.parent {
		if x.topic == t && x.cuts {
			return true
		}
	}
	return false
}

// endOf returns the last position of a millisecond.
func endOf(ms uint64) event.Position { return event.Before(time.UnixMilli(int64(ms) + 1)) }

// announcement is what a call tells on the wire.
type announcement struct {
	epoch      event.Epoch
	prev, upto event.Position
	items      []item
}

type item struct {
	at    event.Position
	prev  event.Position
	topic event.Topic
	kind  string
	name  string
	data  string
}

// words takes netstrings off a text.
type words struct{ rest string }

func (w *words) next() string {
	length, rest, _ := strings.Cut(w.rest, ":")
	n, err := strconv.Atoi(length)
	if err != nil || n > len(rest) {
		w.rest = ""
		return ""
	}
	w.rest = rest[n:]
	return rest[:n]
}

func (w *words) position() event.Position {
	p, _ := event.ParsePosition(w.next())
	return p
}

func parseAnnouncement(text string) announcement {
	w := words{text}
	a := announcement{epoch: parseEpoch(w.next())}
	w.next() // run
	w.next() // lane
	w.next() // call
	a.prev, a.upto = w.position(), w.position()
	count, _ := strconv.Atoi(w.next())
	for range count {
		p := pack{last: w.position(), prev: w.position(), topic: event.Topic(w.next()), count: w.next(), texts: w.next()}
		a.items = append(a.items, p.items()...)
	}
	return a
}

// pack is what a topic has as one entry, and what is announced as one.
type pack struct {
	topic      event.Topic
	last, prev event.Position
	count      string
	texts      string
}

// items takes the pack apart: its messages stand next to each other.
func (p pack) items() (list []item) {
	w := words{p.texts}
	count, _ := strconv.Atoi(p.count)
	prev := p.prev
	for n := range count {
		at := event.Position{MS: p.last.MS, Seq: p.last.Seq - uint64(count-1-n)}
		i := item{at: at, prev: prev, topic: p.topic, kind: w.next(), name: w.next()}
		w.next() // key
		i.data = w.next()
		list = append(list, i)
		prev = at
	}
	return list
}

// parseCursor reads a cursor, and leaves out which store it is of: there is
// one prefix only.
func parseCursor(id string) (event.Cursor, error) {
	c, err := event.ParseCursor(id)
	c.Epoch.Store = 0
	return c, err
}

// parseEpoch reads "<number>.<nonce>".
func parseEpoch(text string) event.Epoch {
	number, nonce, _ := strings.Cut(text, ".")
	n, _ := strconv.ParseUint(number, 10, 32)
	d, _ := strconv.ParseUint(nonce, 10, 32)
	return event.Epoch{Number: uint32(n), Nonce: uint32(d)}
}
