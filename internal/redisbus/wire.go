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
	prev   event.Position
	upto   event.Position
	events []event.Event
	losses []event.Loss
}

// The kinds of what is announced, as publish/4_store.lua writes them.
const (
	textKind = "t"
	jsonKind = "j"
	lossKind = "l"
)

var errWire = errors.New("an announcement on the wire is not one of this version")

// parseAnnouncement reads what publish/4_store.lua writes: netstrings.
func parseAnnouncement(store uint16, text string) (announcement, error) {
	var a announcement
	r := wireReader{rest: text}
	epoch, err := parseEpoch(store, r.next())
	a.epoch, a.run = epoch, r.next()
	r.next() // the lane, and
	r.next() // its call: for people who look
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
		switch kind {
		case lossKind:
			a.losses = append(a.losses, event.Loss{Topic: topic, Prev: prev, Gap: event.Gap{Position: position, Since: position, Reason: event.StoreLost}})
		case textKind, jsonKind:
			a.events = append(a.events, event.Event{Epoch: epoch, Position: position, Prev: prev, Topic: topic,
				Name: name, Key: key, Data: event.Data{Text: data, JSON: kind == jsonKind}})
		default:
			return announcement{}, errWire
		}
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
