package redisbus

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tickertape/internal/event"
)

// announcement is what one call of a publish lane tells all nodes: its events,
// or none, and the place of the clock before and after it. So announcements
// are a chain, and one that is missing shows.
type announcement struct {
	epoch  event.Epoch
	run    string // of the server that the call ran on
	rules  string // digest of those of the node that beats; empty if it is no beat
	prev   event.Position
	upto   event.Position
	events []event.Event
	losses []event.Loss
}

// The kinds of what is published, stored and announced, as publish/1_call.lua has
// them. In the store and on the wire the mark of the topic's kind follows.
const (
	textKind  = "t"
	jsonKind  = "j"
	endKind   = "e" // its data is the status
	lossKind  = "l"
	lapseKind = "d"
)

// The marks of the kinds of topics.
const (
	latestMark    = "k"
	ephemeralMark = "x"
	unknownMark   = "?" // as the store has it
)

// markOf returns the mark of a kind. That of a log is nothing: what the store has
// from before there were other kinds has none.
func markOf(k event.Kind) string {
	switch k {
	case event.KindLatest:
		return latestMark
	case event.KindEphemeral:
		return ephemeralMark
	}
	return ""
}

func parseMark(mark string) (event.Kind, bool) {
	switch mark {
	case "":
		return event.KindLog, true
	case latestMark:
		return event.KindLatest, true
	case ephemeralMark:
		return event.KindEphemeral, true
	}
	return 0, false
}

// newEvent returns an event as the store and the wire have it, and whether this
// version knows its kind; else it is a text.
func newEvent(t event.Topic, kind, name, key, data string) (e event.Event, known bool) {
	what, mark := kind, ""
	if kind != "" {
		what, mark = kind[:1], kind[1:]
	}
	of, known := parseMark(mark)
	if what == endKind {
		return event.NewEnd(t, of, event.Status(data)), known
	}
	e = event.Event{Topic: t, Kind: of, Name: name, Key: key, Data: event.Data{Text: data, JSON: what == jsonKind}}
	return e, known && (what == textKind || what == jsonKind)
}

var errWire = errors.New("an announcement on the wire is not one of this version")

// parseAnnouncement reads what publish/4_store.lua writes: netstrings.
func parseAnnouncement(store uint16, text string) (announcement, error) {
	var a announcement
	r := wireReader{rest: text}
	epoch, err := parseEpoch(store, r.next())
	a.epoch, a.run = epoch, r.next()
	_, a.rules, _ = strings.Cut(r.next(), "/") // behind the name of the lane
	r.next()                                   // its call: for people who look
	a.prev, a.upto = r.position(), r.position()
	count := r.count()
	last := a.prev
	for range count {
		position, prev := r.position(), r.position()
		topic, kind, name, key, data := event.Topic(r.next()), r.next(), r.next(), r.next(), r.next()
		if r.failed || !position.After(last) || kind != lossKind && len(a.losses) > 0 {
			return announcement{}, errWire
		}
		last = position
		if kind == lossKind {
			a.losses = append(a.losses, event.Loss{Topic: topic, Prev: prev, Gap: event.Gap{Position: position, Since: position, Reason: event.StoreLost}})
			continue
		}
		e, known := newEvent(topic, kind, name, key, data)
		if !known {
			return announcement{}, errWire
		}
		e.Epoch, e.Position, e.Prev = epoch, position, prev
		a.events = append(a.events, e)
	}
	if err != nil || r.failed || r.rest != "" || last.After(a.upto) || !a.upto.After(a.prev) {
		return announcement{}, errWire
	}
	return a, nil
}

// wireReader takes netstrings off a text and remembers the first failure.
type wireReader struct {
	rest   string
	failed bool
}

func (r *wireReader) next() string {
	length, after, ok := strings.Cut(r.rest, ":")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || n < 0 || n > len(after) {
		r.failed, r.rest = true, ""
		return ""
	}
	r.rest = after[n:]
	return after[:n]
}

func (r *wireReader) position() event.Position {
	p, err := event.ParsePosition(r.next())
	r.failed = r.failed || err != nil
	return p
}

func (r *wireReader) count() int {
	n, err := strconv.Atoi(r.next())
	// Each takes at least two bytes for each of its seven fields.
	if err != nil || n < 0 || n > len(r.rest)/14 {
		r.failed = true
		return 0
	}
	return n
}

// formatEpoch and parseEpoch are the form of an epoch in Redis: number and
// nonce. The store is no part of it.
func formatEpoch(e event.Epoch) string { return fmt.Sprintf("%d.%d", e.Number, e.Nonce) }

func parseEpoch(store uint16, s string) (event.Epoch, error) {
	number, nonce, _ := strings.Cut(s, ".")
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return event.Epoch{}, fmt.Errorf("%w: epoch %q", errAnswer, s)
	}
	d, err := strconv.ParseUint(nonce, 10, 32)
	if err != nil {
		return event.Epoch{}, fmt.Errorf("%w: epoch %q", errAnswer, s)
	}
	return event.Epoch{Store: store, Number: uint32(n), Nonce: uint32(d)}, nil
}
