package membus

import (
	"fmt"
	"time"

	"tickertape/internal/event"
)

// plan is what a Publish would do, and changes nothing yet.
type plan struct {
	events [][]event.Event // of each message, without places; nil if it is not taken
	drafts map[event.Topic]*draft
	keys   int // bytes that remembering idempotency keys takes
	begun  int // topics that the store does not know yet
}

// draft is what the messages of a plan make of a topic.
type draft struct {
	topic    *topic
	known    bool // the store knows the topic
	status   event.Status
	leased   bool
	messages int // so many are added
	bytes    int // so many bytes are, less those of what is superseded
	reserved int // for the end that a lease may bring

	keys  int // of the table
	slots map[string]slot
}

// slot is what a table has of a key.
type slot struct {
	size    int // 0: nothing
	deleted bool
}

// keys counts the slot among those that a table's rule allows.
func (s slot) keys() int {
	if s.size == 0 || s.deleted {
		return 0
	}
	return 1
}

// plan makes a plan for the messages, or an ItemError for the first one that
// its topic refuses.
func (b *Bus) plan(messages []event.Message, fresh []bool, claims []claim, now time.Time) (*plan, error) {
	p := &plan{events: make([][]event.Event, len(messages)), drafts: map[event.Topic]*draft{}}
	for i, m := range messages {
		if !fresh[i] || claims[i].again {
			continue
		}
		d := p.drafts[m.Topic]
		if d == nil {
			d = b.draft(m.Topic, now)
			p.drafts[m.Topic] = d
		}
		if p.events[i] = eventsOf(m, d.topic.rule.Kind); d.topic.rule.Kind == event.KindEphemeral {
			p.keys += keyCost(m.IdempotencyKey)
			continue
		}
		if !d.known && d.messages == 0 {
			if p.begun++; len(b.topics)+p.begun > b.options.MaxTopics {
				return nil, &event.ItemError{Index: i, Err: event.ErrTooManyTopics}
			}
		}
		if err := d.take(m, p.events[i], b.options.Retention.Bytes); err != nil {
			return nil, &event.ItemError{Index: i, Err: err}
		}
		p.keys += keyCost(m.IdempotencyKey)
	}
	return p, nil
}

// eventsOf returns what becomes of a message, without places.
func eventsOf(m event.Message, kind event.Kind) []event.Event {
	var events []event.Event
	if !m.EndOnly {
		events = append(events, event.Event{Topic: m.Topic, Kind: kind, Name: m.Name, Key: m.Key, Data: m.Data})
	}
	if m.End != "" {
		events = append(events, event.NewEnd(m.Topic, kind, m.End))
	}
	return events
}

func (b *Bus) draft(name event.Topic, now time.Time) *draft {
	t := b.topics[name]
	d := &draft{topic: t, known: t != nil}
	if !d.known {
		d.topic = newTopic(name, b.options.Rules.Of(name), b.forgotten, b.options.Retention.Age)
		return d
	}
	b.bytes -= t.expire(now, b.options.Retention.Age)
	d.keys, d.leased = t.table.keys(), t.lease > 0
	if t.end != nil {
		d.status = t.end.End
	}
	return d
}

// take adds a message, or says why its topic refuses it.
func (d *draft) take(m event.Message, events []event.Event, maxBytes int) error {
	if d.status != "" {
		return &event.EndedError{Topic: m.Topic, Status: d.status}
	}
	for _, e := range events {
		if e.Kind == event.KindLatest && e.End == "" {
			if err := d.set(e, maxBytes); err != nil {
				return err
			}
		}
		d.messages++
		d.bytes += size(e)
	}
	if m.Lease > 0 && !d.leased {
		d.leased, d.reserved = true, d.topic.endSize()
	}
	d.status = m.End
	return nil
}

// set puts an event into the table's slot for its key, or says that the table
// would grow beyond its limits. Deletions always fit.
func (d *draft) set(e event.Event, maxBytes int) error {
	old, changed := d.slots[e.Key]
	if !changed {
		was := d.topic.slot(e.Key)
		old = slot{was.size, was.event.Deletes()}
	}
	next := slot{size(e), e.Deletes()}
	keys := d.keys - old.keys() + next.keys()
	switch {
	case e.Deletes():
	case keys > d.keys && keys > d.topic.rule.Keys:
		return &event.TableFullError{Topic: e.Topic, Limit: fmt.Sprintf("%d keys", d.topic.rule.Keys)}
	case next.size > old.size && d.topic.weight+d.bytes-old.size+next.size > maxBytes:
		return &event.TableFullError{Topic: e.Topic, Limit: fmt.Sprintf("%d bytes", maxBytes)}
	}
	if d.slots == nil {
		d.slots = map[string]slot{}
	}
	d.slots[e.Key], d.keys = next, keys
	d.bytes -= old.size
	return nil
}

// cost bounds from above what the plan adds to b.bytes: what it takes, less what
// topics cut off to keep their limits. Producers do not count.
func (p *plan) cost(limit event.Retention) int {
	sum := p.keys
	for _, d := range p.drafts {
		if d.messages == 0 {
			continue
		}
		if sum += d.bytes + d.reserved; !d.known {
			sum += d.topic.overhead()
		}
		if d.topic.rule.Kind == event.KindLog {
			sum -= d.topic.excess(d.messages, d.bytes, limit)
		}
	}
	return sum
}
