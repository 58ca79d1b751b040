package membus

import (
	"container/list"
	"time"

	"tickertape/internal/event"
)

// producers remembers, of each producer and topic, the message with the
// highest number for a while.
type producers struct {
	known map[producer]*list.Element
	order *list.List // of *highest, the one that expires first in front
}

type producer struct {
	topic event.Topic
	name  string
}

// highest is what is remembered of a producer.
type highest struct {
	producer
	seq     int64
	cursor  event.Cursor
	expires time.Time
}

func newProducers() producers {
	return producers{known: map[producer]*list.Element{}, order: list.New()}
}

func producerOf(m event.Message) producer { return producer{m.Topic, m.Producer} }

// cost is about what remembering the producer takes.
func (p producer) cost() int { return 400 + len(p.topic) + len(p.name) }

// find returns what is known of the producer; nil if nothing is.
func (p *producers) find(of producer) *highest {
	if e := p.known[of]; e != nil {
		return e.Value.(*highest)
	}
	return nil
}

// receipt answers a message whose number is not above what its producer has
// reached, and reports whether it is one.
func (p *producers) receipt(m event.Message) (event.Receipt, bool) {
	if m.Producer == "" {
		return event.Receipt{}, false
	}
	r := event.Receipt{Topic: m.Topic, Duplicate: true}
	top := p.find(producerOf(m))
	if top != nil && top.seq == m.Seq {
		r.Cursor = top.cursor
	}
	return r, top != nil && top.seq >= m.Seq
}

// check tells which messages have no number, or one above what their producer
// has reached, before or earlier in the same call, and how many bytes it takes
// to remember them.
func (p *producers) check(messages []event.Message) (fresh []bool, cost int) {
	fresh = make([]bool, len(messages))
	var here map[producer]int64
	for i, m := range messages {
		if fresh[i] = true; m.Producer == "" {
			continue
		}
		of := producerOf(m)
		top, reached := here[of]
		if known := p.find(of); !reached && known != nil {
			top, reached = known.seq, true
		} else if !reached {
			cost += of.cost()
		}
		if reached && m.Seq <= top {
			fresh[i] = false
			continue
		}
		if here == nil {
			here = map[producer]int64{}
		}
		here[of] = m.Seq
	}
	return fresh, cost
}

// remember keeps the message's number until it expires, and returns the bytes
// that this adds. Calls come in the order in which they expire.
func (p *producers) remember(m event.Message, cursor event.Cursor, expires time.Time) (added int) {
	of := producerOf(m)
	e := p.known[of]
	if e == nil {
		e = p.order.PushBack(&highest{producer: of})
		p.known[of] = e
		added = of.cost()
	}
	top := e.Value.(*highest)
	top.seq, top.cursor, top.expires = m.Seq, cursor, expires
	p.order.MoveToBack(e)
	return added
}

// expire forgets the producers whose time is over and returns the bytes let
// go.
func (p *producers) expire(now time.Time) (freed int) {
	for e := p.order.Front(); e != nil; e = p.order.Front() {
		top := e.Value.(*highest)
		if top.expires.After(now) {
			break
		}
		p.order.Remove(e)
		delete(p.known, top.producer)
		freed += top.cost()
	}
	return freed
}
