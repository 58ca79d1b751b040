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
	plainKind = "m" // of runs only
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

// parseAnnouncement reads what publish/4_store.lua and 6_answer.lua write:
// netstrings, of each pack five.
func parseAnnouncement(store uint16, text string) (announcement, error) {
	var a announcement
	r := netstrings{rest: text}
	epoch, err := parseEpoch(store, r.next())
	a.epoch, a.run = epoch, r.next()
	_, a.rules, _ = strings.Cut(r.next(), "/") // behind the name of the lane
	r.next()                                   // its call: for people who look
	a.prev, a.upto = r.position(), r.position()
	packs, bad := r.packs(a.prev, a.upto)
	if err != nil || bad != nil || r.failed || r.rest != "" || !a.upto.After(a.prev) {
		return announcement{}, errWire
	}
	messages := 0
	for _, p := range packs {
		messages += p.count
	}
	a.events = make([]event.Event, 0, messages)
	for _, p := range packs {
		if err := p.items(func(x item) error { return a.add(p.topic, x) }); err != nil {
			return announcement{}, errWire
		}
	}
	return a, nil
}

// packs takes the packs of an announcement, which stand in order between two
// places of the clock.
func (r *netstrings) packs(after, upto event.Position) ([]pack, error) {
	list := make([]pack, r.count(10))
	for i := range list {
		p := pack{last: r.position(), prev: r.position(), topic: event.Topic(r.next())}
		p.count, p.texts = r.number(), r.next()
		if !p.valid() || !p.first().After(after) || p.last.After(upto) {
			return nil, errWire
		}
		list[i], after = p, p.last
	}
	return list, nil
}

// add adds what stands in a pack, if this version knows what that is. Losses stand
// behind all events.
func (a *announcement) add(t event.Topic, x item) error {
	if x.flags == lossKind {
		gap := event.Gap{Position: x.position, Since: x.position, Reason: event.StoreLost}
		a.losses = append(a.losses, event.Loss{Topic: t, Prev: x.prev, Gap: gap})
		return nil
	}
	e, known := x.event(t)
	if !known || len(a.losses) > 0 {
		return errWire
	}
	e.Epoch = a.epoch
	a.events = append(a.events, e)
	return nil
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
