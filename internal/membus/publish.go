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
	if b.bytes+more+b.cost(messages, fresh) > b.options.MaxBytes {
		return nil, &event.UnavailableError{RetryAfter: 5 * time.Second, Err: errFull}
	}
	receipts := make([]event.Receipt, len(messages))
	events := make([]event.Event, 0, len(messages))
	for i, m := range messages {
		receipt, known := b.known(m, claims[i])
		if !known {
			e := b.append(m, now)
			events = append(events, e)
			receipt = event.Receipt{Topic: m.Topic, Cursor: e.Cursor()}
			if m.IdempotencyKey != "" {
				b.bytes += b.keys.remember(claims[i], e.Cursor(), now.Add(b.options.RememberKeys))
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

// cost bounds from above what the fresh messages add to b.bytes: what they take,
// less what their topics cut off to keep their limits. Their producers do not
// count.
func (b *Bus) cost(messages []event.Message, fresh []bool) (sum int) {
	type share struct{ messages, bytes int }
	shares := map[event.Topic]share{}
	for i, m := range messages {
		if !fresh[i] {
			continue
		}
		s := shares[m.Topic]
		shares[m.Topic] = share{s.messages + 1, s.bytes + size(m)}
		sum += keyCost(m.IdempotencyKey)
	}
	for name, s := range shares {
		sum += s.bytes
		if t := b.topics[name]; t != nil {
			sum -= t.excess(s.messages, s.bytes, b.options.Retention)
		} else {
			sum += topicCost(name)
		}
	}
	return sum
}

func (b *Bus) append(m event.Message, now time.Time) event.Event {
	t := b.topics[m.Topic]
	if t == nil {
		t = newTopic(m.Topic, b.forgotten, b.options.Retention.Age)
		b.topics[m.Topic] = t
		b.bytes += t.overhead()
	}
	b.clock = b.clock.Next(now)
	e := event.Event{Epoch: b.epoch, Position: b.clock, Prev: t.last,
		Topic: m.Topic, Name: m.Name, Key: m.Key, Data: m.Data}
	b.bytes += t.append(e, size(m))
	b.bytes -= t.trim(b.options.Retention, b.clock)
	b.bytes -= t.expire(now, b.options.Retention.Age)
	return e
}
