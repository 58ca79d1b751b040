package redisbus

import (
	"errors"
	"strconv"

	"tickertape/internal/event"
)

// Messages that come to a log one right after the other are stored as one entry,
// and announced as one: a pack. Its place is that of the last of its messages, the
// others stand right before it, each by one in the number within its millisecond.
// publish/4_store.lua makes packs of what the lane puts together here.
const (
	packMessages = 64
	packBytes    = 4096 // of more than one message
)

// appendMessage appends a message to a topic of that mark as packs have it:
// netstrings.
func appendMessage(dst []byte, mark string, m *event.Message) []byte {
	kind := textKind
	if m.Data.JSON {
		kind = jsonKind
	}
	dst = appendString(dst, kind+mark)
	dst = appendString(dst, m.Name)
	dst = appendString(dst, m.Key)
	return appendString(dst, m.Data.Text)
}

func appendString(dst []byte, s string) []byte {
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	dst = append(dst, ':')
	return append(dst, s...)
}

// pack is one of them, as the store and the wire have it.
type pack struct {
	topic event.Topic
	last  event.Position
	prev  event.Position // the topic's before the first
	count int
	texts string
}

var errPack = errors.New("a pack is not one of this version")

// item is a message of a pack, or what stands there in place of one.
type item struct {
	position, prev         event.Position
	flags, name, key, data string
}

// itemSize is the least that an item takes: two bytes for each of its four texts.
const itemSize = 8

// valid reports whether so many items can be in the pack, and stand where it says.
func (p pack) valid() bool {
	return p.count >= 1 && p.count <= len(p.texts)/itemSize && uint64(p.count) <= p.last.Seq+1
}

// first returns the place of the first item of a valid pack.
func (p pack) first() event.Position {
	return event.Position{MS: p.last.MS, Seq: p.last.Seq - uint64(p.count-1)}
}

// items hands over what is in the pack, until that fails. If the pack itself is not
// right, what it has handed over means nothing.
func (p pack) items(do func(item) error) error {
	if !p.valid() {
		return errPack
	}
	r := netstrings{rest: p.texts}
	at, prev := p.first(), p.prev
	for range p.count {
		x := item{position: at, prev: prev, flags: r.next(), name: r.next(), key: r.next(), data: r.next()}
		if r.failed {
			return errPack
		}
		if err := do(x); err != nil {
			return err
		}
		prev = at
		at.Seq++
	}
	if r.rest != "" {
		return errPack
	}
	return nil
}

// event returns the item as an event of the topic, and whether this version knows
// its kind.
func (x item) event(t event.Topic) (event.Event, bool) {
	e, known := newEvent(t, x.flags, x.name, x.key, x.data)
	e.Position = x.position
	if e.Kind != event.KindEphemeral {
		e.Prev = x.prev
	}
	return e, known
}

// netstrings takes texts off a text that has each behind its length, and
// remembers the first failure.
type netstrings struct {
	rest   string
	failed bool
}

func (r *netstrings) next() string {
	n, i := 0, 0
	for ; i < len(r.rest) && i < 10 && '0' <= r.rest[i] && r.rest[i] <= '9'; i++ {
		n = 10*n + int(r.rest[i]-'0')
	}
	if i == 0 || i == len(r.rest) || r.rest[i] != ':' || n > len(r.rest)-i-1 {
		r.failed, r.rest = true, ""
		return ""
	}
	text := r.rest[i+1 : i+1+n]
	r.rest = r.rest[i+1+n:]
	return text
}

func (r *netstrings) position() event.Position {
	p, err := event.ParsePosition(r.next())
	r.failed = r.failed || err != nil
	return p
}

func (r *netstrings) number() int {
	n, err := strconv.Atoi(r.next())
	r.failed = r.failed || err != nil
	return n
}

// count reads how many things follow, each of which takes so many bytes at least.
func (r *netstrings) count(size int) int {
	n := r.number()
	if n < 0 || n > len(r.rest)/size {
		r.failed = true
		return 0
	}
	return n
}
