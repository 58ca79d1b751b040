package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// press is all who publish.
type press struct {
	run    *Run
	seed   uint64
	client *client.Client
	pacer  *pacer
	stop   func()

	mu  sync.Mutex
	bad map[int]int // answers that were not 200, by status
}

// publishTimeout is how long publishers wait for an answer. A hub answers
// within 5 s.
const publishTimeout = 10 * time.Second

func newPress(r *Run, seed uint64) *press {
	return &press{run: r, seed: seed, client: r.Client(client.Options{Timeout: publishTimeout}), bad: map[int]int{}, stop: func() {},
		pacer: &pacer{rate: r.scale.Rate, published: r.Published, enough: r.scale.Events}}
}

// begin starts the publishers, each with a way of its own, until finish.
func (p *press) begin() {
	ctx, cancel := context.WithCancel(p.run.T.Context())
	var running sync.WaitGroup
	ways := []func(*publisher, context.Context){
		(*publisher).single, (*publisher).single, (*publisher).retrying, (*publisher).retrying,
		(*publisher).batches, (*publisher).retriedBatches, (*publisher).pipe, (*publisher).pipe,
	}
	for id, way := range ways {
		one := &publisher{press: p, id: id, rand: drawn(p.seed, uint64(forPublishers+id)), share: len(ways)}
		running.Go(func() { way(one, ctx) })
	}
	p.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	p.run.T.Cleanup(p.stop)
}

// finish ends all publishers when they have their last answers.
func (p *press) finish() { p.stop() }

// finisher is who publishes the last messages.
const finisher = -1

// last publishes the last message of a topic, and returns its number.
func (p *press) last(topic event.Topic) int {
	one := &publisher{press: p, id: finisher, share: 1}
	number, text := p.run.Ledger.Add(topic, finisher)
	one.publish(p.run.T.Context(), []int{number}, []event.Message{message(topic, text)}, true)
	return number
}

// answers returns how many answers were not 200, by status; 0: none came.
func (p *press) answers() map[int]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := map[int]int{}
	for status, n := range p.bad {
		counts[status] = n
	}
	return counts
}

// told notes why a publish failed, and reports whether its messages may be
// stored.
func (p *press) told(number int, err error) (mayBeStored bool) {
	e, ok := errors.AsType[*client.Error](err)
	status := 0
	if ok {
		status = e.Status
	}
	p.mu.Lock()
	p.bad[status]++
	p.mu.Unlock()
	if ok && e.Detail == "" && e.Stored == "" {
		return true // the balancer's own words: its hub went away
	}
	return p.run.Ledger.Told(number, err)
}

// pacer keeps publishers from being faster than their share of a rate, and
// slows them down when there has been enough.
type pacer struct {
	rate      int
	published func() int
	enough    int
}

// slowly is by how much publishers slow down.
const slowly = 4

// wait waits until a publisher that has so many shares of the rate may send so
// many messages more, and reports whether it may.
func (p *pacer) wait(ctx context.Context, share, messages int) bool {
	gap := time.Duration(messages*share) * time.Second / time.Duration(p.rate)
	if p.published() >= p.enough {
		gap *= slowly
	}
	timer := time.NewTimer(gap)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// publisher is one of those who publish, each independent of the others.
type publisher struct {
	press *press
	id    int
	rand  *rand.Rand
	share int // of how many it is one
}

// message is a message in the ledger's words.
func message(topic event.Topic, text string) event.Message {
	return event.Message{Topic: topic, Data: event.Data{Text: text}}
}

// next draws a topic and notes a message to it.
func (p *publisher) next() (number int, m event.Message) {
	topic := p.press.run.Topics[p.rand.IntN(len(p.press.run.Topics))]
	number, text := p.press.run.Ledger.Add(topic, p.id)
	return number, message(topic, text)
}

// single publishes one message after the other, each once.
func (p *publisher) single(ctx context.Context) { p.some(ctx, 1, false) }

// retrying does the same with keys, each until it is acknowledged.
func (p *publisher) retrying(ctx context.Context) { p.some(ctx, 1, true) }

func (p *publisher) batches(ctx context.Context)        { p.some(ctx, 20, false) }
func (p *publisher) retriedBatches(ctx context.Context) { p.some(ctx, 20, true) }

// some publishes up to so many messages at a time.
func (p *publisher) some(ctx context.Context, most int, retry bool) {
	for {
		count := 1 + p.rand.IntN(most)
		if !p.press.pacer.wait(ctx, p.share, count) {
			return
		}
		numbers, messages := make([]int, count), make([]event.Message, count)
		for i := range count {
			numbers[i], messages[i] = p.next()
		}
		p.publish(p.press.run.T.Context(), numbers, messages, retry)
	}
}

// publish publishes messages together, and notes what it is told. With retry it
// goes on until they are acknowledged, as long as the run lasts.
func (p *publisher) publish(ctx context.Context, numbers []int, messages []event.Message, retry bool) {
	run := p.press.run
	for i := range messages {
		if retry {
			messages[i].IdempotencyKey = fmt.Sprint(numbers[i])
		}
	}
	mayBeStored := false
	var err error
	for {
		var receipts []client.Receipt
		if receipts, err = p.post(ctx, messages); err == nil {
			for i, number := range numbers {
				run.Ledger.Acknowledge(number, receipts[i].ID)
			}
			return
		}
		mayBeStored = p.press.told(numbers[0], err) || mayBeStored
		if !retry || time.Now().After(run.end) || ctx.Err() != nil {
			break
		}
		pause(ctx, 100*time.Millisecond)
	}
	for _, number := range numbers {
		switch {
		case !mayBeStored:
			run.Ledger.Refuse(number)
		case !retry && saysUnknown(err):
			run.Ledger.Leave(number)
		}
	}
}

// saysUnknown reports whether a hub has answered that it does not know whether
// the messages are stored.
func saysUnknown(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Stored == "unknown"
}

func (p *publisher) post(ctx context.Context, messages []event.Message) ([]client.Receipt, error) {
	if len(messages) > 1 {
		return p.press.client.PublishBatch(ctx, messages)
	}
	receipt, err := p.press.client.Publish(ctx, messages[0])
	return []client.Receipt{receipt}, err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// pipe publishes a stream of numbered messages, which the client repeats where
// it has to.
func (p *publisher) pipe(ctx context.Context) {
	run := p.press.run
	var mu sync.Mutex
	var numbers []int
	messages := make(chan event.Message)
	var feeding sync.WaitGroup
	feeding.Go(func() {
		defer close(messages)
		for p.press.pacer.wait(ctx, p.share, 1) {
			number, m := p.next()
			mu.Lock()
			numbers = append(numbers, number)
			mu.Unlock()
			messages <- m
		}
	})
	stored := 0
	progress := func(t client.Tally, err error, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		for ; stored < int(t.Accepted); stored++ {
			run.Ledger.Stored(numbers[stored])
		}
		if err != nil && len(numbers) > 0 {
			p.press.told(numbers[0], err)
		}
	}
	o := client.PipeOptions{Producer: fmt.Sprint("torture-", p.id), Patience: time.Until(run.end), Progress: progress}
	tally, err := p.press.client.Pipe(run.T.Context(), messages, o)
	if err != nil {
		run.Ledger.Complain("pipe %d ended: %v", p.id, err)
		for range messages { // until its feeder is done
		}
	}
	progress(tally, nil, 0)
	feeding.Wait()
}
