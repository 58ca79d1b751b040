package bustest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// judge holds what publishers were told against the feed, and the feed against
// what is stored.
type judge struct {
	rt   *rapid.T
	run  string
	bus  hub.Bus
	feed *sink

	mu    sync.Mutex
	calls []call
	last  map[int]event.Position // the newest position that each publisher was told
}

// call is a Publish that was taken.
type call struct {
	batch    []event.Message
	receipts []event.Receipt
}

func newJudge(rt *rapid.T, run int, bus hub.Bus, feed *sink) *judge {
	return &judge{rt: rt, run: fmt.Sprint(".", run, "."), bus: bus, feed: feed, last: map[int]event.Position{}}
}

// heard takes down what a publisher was told.
func (j *judge) heard(publisher int, batch []event.Message, receipts []event.Receipt, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		return
	}
	j.calls = append(j.calls, call{batch, receipts})
	for i, r := range receipts {
		if r.Duplicate {
			continue
		}
		if !r.Cursor.Position.After(j.last[publisher]) {
			j.rt.Errorf("%+v was told %v, behind %v", batch[i], r.Cursor.Position, j.last[publisher])
		}
		j.last[publisher] = r.Cursor.Position
	}
}

// check holds everything against everything.
func (j *judge) check() {
	clock, err := j.bus.Clock(j.rt.Context())
	if err != nil {
		j.rt.Fatal(err)
	}
	j.feed.until("all is fed", func(_ []event.Event, mark event.Position) bool { return !clock.Position.After(mark) })
	fed := slices.DeleteFunc(j.feed.events(), func(e event.Event) bool {
		return !strings.Contains(string(e.Topic), j.run) || e.Position.After(clock.Position)
	})
	j.receipts(fed)
	of := map[event.Topic][]event.Event{}
	for _, e := range fed {
		of[e.Topic] = append(of[e.Topic], e)
	}
	for topic, events := range of {
		if events[0].Kind == event.KindEphemeral {
			j.stored(topic, clock.Position, nil, nil, false)
			continue
		}
		j.order(events)
		least, gone := conflate(events, tableKeys)
		most, _ := conflate(events, len(events))
		j.stored(topic, clock.Position, least, most, gone)
	}
}

// receipts expects every event to be what one call was told that it is, and
// the events of a call to stand next to each other.
func (j *judge) receipts(fed []event.Event) {
	at := map[event.Position]int{}
	for i, e := range fed {
		at[e.Position] = i
	}
	told := make([]bool, len(fed))
	for _, c := range j.calls {
		next := -1
		for i, r := range c.receipts {
			n, ok := at[r.Cursor.Position]
			m := c.batch[i]
			switch first := n - len(contents(m)) + 1; {
			case !ok || first < 0 || !slices.EqualFunc(contents(m), fed[first:n+1], same):
				j.rt.Fatalf("%+v was told %+v, but is not there", m, r)
			case r.Duplicate:
			case told[n] || next >= 0 && first != next:
				j.rt.Fatalf("%+v was told %+v, which is another's place, or not next to the one before", m, r)
			default:
				for ; first <= n; first++ {
					told[first] = true
				}
				next = n + 1
			}
		}
	}
	for i, e := range fed {
		if !told[i] && e.End != event.ProducerLost {
			j.rt.Fatalf("nobody was told of %+v", e)
		}
	}
}

// contents returns what a message becomes, without places.
func contents(m event.Message) (events []event.Event) {
	if !m.EndOnly {
		events = append(events, event.Event{Topic: m.Topic, Name: m.Name, Key: m.Key, Data: m.Data})
	}
	if m.End != "" {
		events = append(events, event.NewEnd(m.Topic, event.KindLog, m.End))
	}
	return events
}

// same compares what events say.
func same(a, b event.Event) bool {
	return a.Topic == b.Topic && a.Name == b.Name && a.Key == b.Key && a.Data == b.Data && a.End == b.End
}

// order expects each event of a topic to follow the one before, and none to
// follow an end.
func (j *judge) order(events []event.Event) {
	prev := event.Event{}
	for _, e := range events {
		if e.Prev != prev.Position || prev.End != "" || e.Kind != events[0].Kind {
			j.rt.Fatalf("%+v follows %+v", e, prev)
		}
		prev = e
	}
}

// stored holds a topic's history against what it must have at least, and what
// it may have: a bus may let go of deletions at once or when a call ends, by which
// time it may not have to. If some are gone, there may be a gap.
func (j *judge) stored(topic event.Topic, upto event.Position, least, most []event.Event, gone bool) {
	page, err := j.bus.History(j.rt.Context(), event.Range{Topic: topic, Upto: upto})
	if err != nil || page.Upto != upto || !within(least, page.Events) || !within(page.Events, most) || deletions(page.Events) > tableKeys {
		j.rt.Fatalf("%s is %+v, %v; want %+v, and no more than %+v", topic, page, err, least, most)
	}
	j.gaps(page, most, gone)
	last := event.Event{}
	if len(most) > 0 {
		last = most[len(most)-1]
	}
	if (page.End != nil) != (last.End != "") || page.End != nil && *page.End != last {
		j.rt.Fatalf("%s ended with %+v, want %+v", topic, page.End, last)
	}
	info, known, err := j.bus.Topic(j.rt.Context(), topic)
	if err != nil || known != (len(most) > 0) || info.Retained != len(page.Events) || info.Last.Position != last.Position || info.Status != last.End {
		j.rt.Fatalf("%s is described as %+v, %v, %v", topic, info, known, err)
	}
}

// gaps expects what the page lacks to lie within a gap, and no gap if none may
// be.
func (j *judge) gaps(page event.Page, most []event.Event, gone bool) {
	if len(page.Gaps) > 1 || len(page.Gaps) == 1 && !gone {
		j.rt.Fatalf("%+v has gaps, but should have everything", page)
	}
	for _, e := range most {
		if !slices.Contains(page.Events, e) && (len(page.Gaps) == 0 || e.Position.After(page.Gaps[0].Position)) {
			j.rt.Fatalf("%+v lacks %+v without a gap", page, e)
		}
	}
}

// within reports whether all events of a are in b, in the same order.
func within(a, b []event.Event) bool {
	for _, e := range b {
		if len(a) > 0 && a[0] == e {
			a = a[1:]
		}
	}
	return len(a) == 0
}

func deletions(events []event.Event) (n int) {
	for _, e := range events {
		if e.Deletes() {
			n++
		}
	}
	return n
}

// conflate returns what is left of a topic's events if no more deletions are
// kept than the limit at any time, and whether some had to go.
func conflate(events []event.Event, limit int) (left []event.Event, gone bool) {
	if events[0].Kind != event.KindLatest {
		return events, false
	}
	for _, e := range events {
		left = slices.DeleteFunc(left, func(old event.Event) bool { return old.Key == e.Key && e.End == "" })
		left = append(left, e)
		if deletions(left) > limit {
			oldest := slices.IndexFunc(left, event.Event.Deletes)
			left, gone = slices.Delete(left, oldest, oldest+1), true
		}
	}
	return left, gone
}
