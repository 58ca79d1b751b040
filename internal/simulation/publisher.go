package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"tickertape/internal/event"
)

// publisher sends messages, one call after the other, to nodes that it draws.
type publisher struct {
	world *world
	name  string
	rng   *rand.Rand
	habit habit
	seq   int64
}

// habit is how a publisher goes about it.
type habit uint8

const (
	once     habit = iota // sends each message once, whatever the answer
	keyed                 // repeats with idempotency keys until it has an answer
	numbered              // numbers its messages, and repeats those
	habits
)

// slack is how much longer than its deadline a publish may take.
const slack = 100 * time.Millisecond

// run publishes until the traffic ends, and then until all that it repeats has
// an answer.
func (p *publisher) run(ctx context.Context) {
	for time.Now().Before(p.world.traffic) && ctx.Err() == nil {
		sleep(ctx, time.Duration(p.rng.Int64N(int64(p.world.pace))))
		batch := p.draw()
		for !p.send(ctx, batch) && ctx.Err() == nil {
			sleep(ctx, 100*time.Millisecond+time.Duration(p.rng.Int64N(int64(time.Second))))
		}
	}
}

// draw returns the messages of the next call.
func (p *publisher) draw() (batch []*message) {
	size := 1
	if p.rng.IntN(4) == 0 {
		size = 1 + p.rng.IntN(6)
	}
	topics := make([]event.Topic, size)
	for i := range topics {
		topics[i] = p.world.topics[p.rng.IntN(len(p.world.topics))]
	}
	p.world.agenda.wait(p.name, func() {
		for _, t := range topics {
			m := p.world.newMessage(t)
			m.seq, p.seq = p.seq, p.seq+1
			m.keyed = p.habit == keyed
			batch = append(batch, m)
		}
	})
	return batch
}

// send publishes the batch once, and reports whether there is nothing more to
// be done about it.
func (p *publisher) send(ctx context.Context, batch []*message) bool {
	w := p.world
	var to *life
	attempts := make([]*attempt, len(batch))
	pick, padding := p.rng.IntN(len(w.nodes)), p.rng.IntN(40)
	if p.habit != once {
		padding = 0 // what is repeated has to be the same
	}
	messages := make([]event.Message, len(batch))
	for i, m := range batch {
		messages[i] = event.Message{Topic: m.topic, Data: event.Data{Text: m.text(padding)}}
		switch p.habit {
		case keyed:
			messages[i].IdempotencyKey = strconv.Itoa(m.number)
		case numbered:
			messages[i].Producer, messages[i].Seq = p.name, m.seq
		}
	}
	w.agenda.wait(p.name, func() {
		if to = w.nodes[pick].life; to == nil {
			return
		}
		for i, m := range batch {
			attempts[i] = &attempt{began: time.Now()}
			m.attempts = append(m.attempts, attempts[i])
		}
	})
	if to == nil {
		return false // that node is down, and nothing was sent
	}
	limit := 5 * time.Second
	if p.rng.IntN(8) == 0 {
		limit = 200*time.Millisecond + time.Duration(p.rng.Int64N(int64(2*time.Second)))
	}
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	receipts, err := to.bus.Publish(timed, messages)
	took := time.Since(began)
	done := false
	w.agenda.wait(p.name, func() {
		if took > limit+slack {
			w.fault("%s waited %v for an answer", p.name, took)
		}
		done = p.answer(to, batch, attempts, receipts, err)
	})
	return done
}

// answer takes in what a call has brought.
func (p *publisher) answer(to *life, batch []*message, attempts []*attempt, receipts []event.Receipt, err error) (done bool) {
	w := p.world
	w.note("%s: %d and so on at node %d: %d receipts, %v", p.name, batch[0].number, to.node.number, len(receipts), err)
	var passing *event.UnavailableError
	switch {
	case err == nil && len(receipts) == len(batch):
		for i, r := range receipts {
			w.acknowledge(to, batch[i], attempts[i], r)
		}
		return true
	case !errors.As(err, &passing):
		w.fault("%s got the answer %v, %v", p.name, receipts, err)
		return true
	}
	for i, m := range batch {
		if attempts[i].outcome = unknown; !passing.MaybeStored {
			w.refuse(m, attempts[i])
		}
	}
	return p.habit == once
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
