package redisbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"tickertape/internal/event"
)

// part is which of a topic's entries a piece has: those behind after, up to upto,
// as many as count says, oldest first or newest first. An entry that begins in there
// and ends behind it counts as what follows.
type part struct {
	after, upto event.Position
	count       int
	backward    bool
}

// read has the entries read, and the one that follows them.
func (r part) read(ctx context.Context, p redis.Pipeliner, log string) (entries, next *redis.XMessageSliceCmd) {
	if r.backward {
		entries = p.XRevRangeN(ctx, log, r.upto.String(), "("+r.after.String(), int64(r.count))
	} else {
		entries = p.XRangeN(ctx, log, "("+r.after.String(), r.upto.String(), int64(r.count))
	}
	return entries, p.XRangeN(ctx, log, "("+r.upto.String(), "+", 1)
}

// fill takes in the entries of a part, and what follows them.
func (p *piece) fill(t event.Topic, r part, entries, next []redis.XMessage) (err error) {
	p.full = len(entries) == r.count
	switch {
	case r.backward:
		slices.Reverse(entries)
		entries = append(entries, next...)
	case !p.full:
		entries = append(entries, next...)
	default:
		p.read, err = event.ParsePosition(entries[len(entries)-1].ID)
	}
	gone := p.state.gone
	if p.table() {
		gone = event.Position{} // of a table, it is a deletion that went
	}
	events, bad := parseEntries(t, entries, event.Latest(r.after, gone))
	if err = errors.Join(err, bad); err != nil {
		return err
	}
	end := slices.IndexFunc(events, func(e event.Event) bool { return e.Position.After(r.upto) })
	if end < 0 {
		end = len(events)
	} else {
		p.next = &events[end]
	}
	if p.list = events[:end]; r.backward {
		slices.Reverse(p.list)
	}
	return nil
}

// parseEntries reads entries of a topic's log, and leaves out what stands up to a
// position.
func parseEntries(t event.Topic, messages []redis.XMessage, before event.Position) (list []event.Event, err error) {
	for _, m := range messages {
		p, err := parsePack(t, m)
		if err != nil {
			return nil, fmt.Errorf("the log of %s, %s: %w", t, m.ID, err)
		}
		err = p.items(func(x item) error {
			if e, _ := x.event(t); e.Position.After(before) {
				list = append(list, e)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("the log of %s, %s: %w", t, m.ID, err)
		}
	}
	return list, nil
}

func parsePack(t event.Topic, m redis.XMessage) (p pack, err error) {
	text := func(name string) string { s, _ := m.Values[name].(string); return s }
	p.topic, p.texts = t, text("events")
	if p.last, err = event.ParsePosition(m.ID); err != nil {
		return pack{}, err
	}
	if p.prev, err = event.ParsePosition(text("prev")); err != nil {
		return pack{}, err
	}
	p.count, err = strconv.Atoi(text("count"))
	return p, err
}
