package membus

import (
	"context"
	"errors"
	"time"

	"tickertape/internal/event"
)

var (
	errFull   = errors.New("the memory of the bus is full until some of it expires; the hub's --memory and --retain settings say how much that is")
	errClosed = errors.New("the node is closing")
)

// Publish stores and announces messages.
func (b *Bus) Publish(ctx context.Context, messages []event.Message) ([]event.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, &event.UnavailableError{RetryAfter: time.Second, Err: err}
	}
	for i, m := range messages {
		if err := b.options.Rules.Check(m, b.options.Retention); err != nil {
			return nil, &event.ItemError{Index: i, Err: err}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.bytes -= b.keys.expire(now) + b.producers.expire(now)

	// First everything that can refuse, then everything that changes.
	fresh, more := b.producers.check(messages)
	claims, err := b.keys.check(messages, fresh)
	if err != nil {
		return nil, err
	}
	if b.closed {
		return nil, &event.UnavailableError{RetryAfter: time.Second, Err: errClosed}
	}
	plan, err := b.plan(messages, fresh, claims, now)
	if err != nil {
		return nil, err
	}
	if b.bytes+more+plan.cost(b.options.Retention) > b.options.MaxBytes {
		return nil, &event.UnavailableError{RetryAfter: 5 * time.Second, Err: errFull}
	}
	receipts := make([]event.Receipt, len(messages))
	events := make([]event.Event, 0, len(messages))
	for i, m := range messages {
		receipt, known := b.known(m, claims[i])
		if !known {
			taken := b.take(m, plan.events[i], plan.drafts[m.Topic].topic, now)
			events = append(events, taken...)
			last := taken[len(taken)-1]
			receipt = event.Receipt{Topic: m.Topic, Cursor: last.Cursor()}
			if m.IdempotencyKey != "" {
				b.bytes += b.keys.remember(claims[i], receipt.Cursor, now.Add(b.options.RememberKeys))
			}
		}
		if m.Producer != "" && fresh[i] {
			b.bytes += b.producers.remember(m, receipt.Cursor, now.Add(b.options.RememberProducers))
		}
		receipts[i] = receipt
	}
	if len(events) > 0 {
		b.feed(events)
	}
	return receipts, nil
}

// known returns the receipt of a message that was taken before.
func (b *Bus) known(m event.Message, c claim) (event.Receipt, bool) {
	if r, ok := b.producers.receipt(m); ok {
		return r, true
	}
	first, ok := b.keys.known[c.key]
	return event.Receipt{Topic: m.Topic, Cursor: first.cursor, Duplicate: true}, ok && c.key.key != ""
}

// take gives the events of a message their places, and stores them unless the
// topic is ephemeral.
func (b *Bus) take(m event.Message, events []event.Event, t *topic, now time.Time) []event.Event {
	for i, e := range events {
		if e.Kind == event.KindEphemeral {
			b.clock = b.clock.Next(now)
			e.Epoch, e.Position = b.epoch, b.clock
		} else {
			e = b.append(t, e, now)
		}
		events[i] = e
	}
	if m.Lease > 0 {
		b.grant(t, m.Lease)
	}
	return events
}

// append stores the next event of a topic.
func (b *Bus) append(t *topic, e event.Event, now time.Time) event.Event {
	if b.topics[t.name] == nil {
		b.topics[t.name] = t
		b.bytes += t.overhead()
	}
	b.clock = b.clock.Next(now)
	e.Epoch, e.Position, e.Prev = b.epoch, b.clock, t.last
	b.bytes += t.append(e)
	b.bytes -= t.trim(b.options.Retention, b.clock)
	b.bytes -= t.expire(now, b.options.Retention.Age)
	if e.End != "" {
		b.release(t)
	}
	return e
}
