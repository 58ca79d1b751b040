package hub_test

import (
	"context"
	"slices"
	"sync"

	"tickertape/internal/event"
)

// scripted is a store, and a feed of it, of which a test says what they do:
// what is put is in the history, and what is fed of it the test decides.
type scripted struct {
	mu        sync.Mutex
	clock     event.Clock
	kept      map[event.Topic][]event.Event
	gaps      map[event.Topic][]event.Gap
	last      map[event.Topic]event.Position
	reads     int // of the history
	lists     int // of active topics
	forgotten event.Position
	gate      chan struct{} // what is read is answered when it is closed
	held      chan struct{} // what is asked for is read when it is closed
	sink      event.Sink
	ready     chan struct{}
}

func newScripted() *scripted {
	return &scripted{
		clock: event.Clock{Epoch: event.Epoch{Store: 1, Number: 1, Nonce: 7}, Position: event.Position{MS: 1000}, Began: event.Position{MS: 1000}},
		kept:  map[event.Topic][]event.Event{}, gaps: map[event.Topic][]event.Gap{}, last: map[event.Topic]event.Position{},
		ready: make(chan struct{}),
	}
}

func (b *scripted) Run(ctx context.Context, sink event.Sink) error {
	sink.Feed(event.Stretch{Clock: b.clock})
	b.sink = sink
	close(b.ready)
	<-ctx.Done()
	return ctx.Err()
}

func (b *scripted) tick() event.Position {
	b.clock.Position.MS++
	return b.clock.Position
}

// put stores an event of the topic for each text.
func (b *scripted) put(topic event.Topic, texts ...string) (events []event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range texts {
		e := event.Event{Epoch: b.clock.Epoch, Position: b.tick(), Prev: b.last[topic], Topic: topic, Data: event.Data{Text: text}}
		b.kept[topic] = append(b.kept[topic], e)
		b.last[topic] = e.Position
		events = append(events, e)
	}
	return events
}

// finish puts and feeds the topic's end.
func (b *scripted) finish(topic event.Topic, status event.Status) event.Event {
	e := b.unheard(topic, status)
	b.sink.Feed(event.Stretch{Clock: b.clock, Events: []event.Event{e}})
	return e
}

// unheard puts the topic's end, and does not feed it.
func (b *scripted) unheard(topic event.Topic, status event.Status) event.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := event.NewEnd(topic, event.KindLog, status)
	e.Epoch, e.Position, e.Prev = b.clock.Epoch, b.tick(), b.last[topic]
	b.kept[topic] = append(b.kept[topic], e)
	b.last[topic] = e.Position
	return e
}

// end returns the topic's end, if that is the last that it has.
func (b *scripted) end(topic event.Topic) *event.Event {
	list := b.kept[topic]
	if n := len(list); n > 0 && list[n-1].End != "" {
		return &list[n-1]
	}
	return nil
}

// pass feeds events of an ephemeral topic: nothing is kept of them.
func (b *scripted) pass(topic event.Topic, texts ...string) (events []event.Event) {
	b.mu.Lock()
	for _, text := range texts {
		events = append(events, event.Event{Epoch: b.clock.Epoch, Position: b.tick(), Topic: topic, Kind: event.KindEphemeral, Data: event.Data{Text: text}})
	}
	b.mu.Unlock()
	b.sink.Feed(event.Stretch{Clock: b.clock, Events: events})
	return events
}

// publish puts and feeds.
func (b *scripted) publish(topic event.Topic, texts ...string) []event.Event {
	events := b.put(topic, texts...)
	b.sink.Feed(event.Stretch{Clock: b.clock, Events: events})
	return events
}

// lose stores and feeds that events of the topic are lost.
func (b *scripted) lose(topic event.Topic) event.Position {
	b.mu.Lock()
	p := b.tick()
	loss := event.Loss{Topic: topic, Prev: b.last[topic], Gap: event.Gap{Position: p, Since: p, Reason: event.StoreLost}}
	b.gaps[topic] = append(b.gaps[topic], loss.Gap)
	b.last[topic] = p
	b.mu.Unlock()
	b.sink.Feed(event.Stretch{Clock: b.clock, Losses: []event.Loss{loss}})
	return p
}

// mend feeds that the feed broke.
func (b *scripted) mend(intact ...event.Topic) {
	s := event.Stretch{Clock: b.clock, Broken: true, Intact: map[event.Topic]struct{}{}}
	for _, t := range intact {
		s.Intact[t] = struct{}{}
	}
	b.sink.Feed(s)
}

// turn begins an epoch. Of the one before, the store has what lies up to end;
// if that is zero, it knows neither it nor those before it.
func (b *scripted) turn(end event.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ended := map[event.Epoch]event.Position{}
	if !end.IsZero() {
		for e, p := range b.clock.Ended {
			ended[e] = p
		}
		ended[b.clock.Epoch] = end
	}
	for topic, list := range b.kept {
		left := 0
		for left < len(list) && !list[left].Position.After(end) {
			left++
		}
		b.kept[topic] = list[:left:left]
		b.last[topic] = event.Position{}
		if left > 0 {
			b.last[topic] = list[left-1].Position
		}
	}
	b.clock.Epoch.Number++
	b.clock.Ended, b.clock.Began = ended, b.tick()
}

func (b *scripted) Clock(context.Context) (event.Clock, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock, nil
}

func (b *scripted) History(_ context.Context, r event.Range) (event.Page, error) {
	b.mu.Lock()
	b.reads++
	if held := b.held; held != nil {
		b.mu.Unlock()
		<-held
		b.mu.Lock()
	}
	gate := b.gate
	page := event.Page{Epoch: b.clock.Epoch, After: r.After, Upto: r.Upto, End: b.end(r.Topic)}
	for _, e := range b.kept[r.Topic] {
		if e.Position.After(r.After) && !e.Position.After(r.Upto) {
			page.Events = append(page.Events, e)
		}
	}
	if n := len(page.Events) - r.Last; r.Last > 0 && n > 0 {
		page.Events = page.Events[n:]
		page.After = page.Events[0].Prev
	}
	for _, g := range b.gaps[r.Topic] {
		if g.Position.After(page.After) && !g.Position.After(r.Upto) {
			page.Gaps = append(page.Gaps, g)
		}
	}
	b.reach(&page, r)
	if r.Limit > 0 && len(page.Events) > r.Limit {
		page.Events = page.Events[:r.Limit]
		page.Upto = page.Events[r.Limit-1].Position
		page.Gaps = slices.DeleteFunc(page.Gaps, func(g event.Gap) bool { return g.Position.After(page.Upto) })
	}
	b.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return page, nil
}

// reach cuts off the page where a hole begins that reaches beyond it.
func (b *scripted) reach(page *event.Page, r event.Range) {
	complete, end := page.After, b.last[r.Topic]
	for _, e := range b.kept[r.Topic] {
		if e.Position.After(r.Upto) {
			end = e.Prev
			break
		}
		complete = event.Latest(complete, e.Position)
	}
	switch {
	case !end.After(r.Upto):
	case len(page.Events) > 0:
		page.Upto = complete
	default:
		page.Upto = page.After
		page.Gaps = []event.Gap{{Position: end, Since: end, Reason: event.StoreLost}}
	}
}

func (b *scripted) Publish(context.Context, []event.Message) ([]event.Receipt, error) {
	return nil, errAway
}

func (b *scripted) Spend(context.Context, event.Allowance, int) error { return errAway }

func (b *scripted) Topics(context.Context, *event.Selector, event.Topic, int) ([]event.TopicInfo, error) {
	return nil, errAway
}

func (b *scripted) Topic(_ context.Context, t event.Topic) (event.TopicInfo, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held := b.held; held != nil {
		b.mu.Unlock()
		<-held
		b.mu.Lock()
	}
	info := event.TopicInfo{Topic: t, Last: event.Cursor{Epoch: b.clock.Epoch, Position: b.last[t]}}
	if end := b.end(t); end != nil {
		info.Status, info.Last.Position = end.End, end.Position
	}
	return info, len(b.kept[t]) > 0, nil
}

// Active lists in no order.
func (b *scripted) Active(_ context.Context, match event.Selector, since event.Position, limit int) (event.Activity, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lists++
	a := event.Activity{Epoch: b.clock.Epoch, Forgotten: b.forgotten}
	for t, last := range b.last {
		if len(a.Topics) < limit && last.After(since) && match.Match(t) {
			a.Topics = append(a.Topics, t)
		}
	}
	return a, nil
}

func (b *scripted) Ready() error { return nil }
func (b *scripted) Name() string { return "scripted" }
