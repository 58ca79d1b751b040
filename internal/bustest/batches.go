package bustest

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// A bus may keep what comes together as one. Nobody can tell.

// batchesReadAsSingles sends the same messages to two topics, to one of them in
// batches of any size, to the other one by one, and compares what is left of them,
// in any part of the history.
func batchesReadAsSingles(t *testing.T, open Open) {
	limits := wide()
	limits.Messages = 130
	bus := open(t, limits)()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		p := &pair{rt: rt, bus: bus, number: map[event.Position]int{{}: -1}}
		for i := range p.topics {
			p.topics[i] = fmt.Sprint("pair.", run, ".", i)
		}
		for range rapid.IntRange(1, 5).Draw(rt, "batches") {
			p.publish(rapid.IntRange(1, 80).Draw(rt, "size"))
		}
		for range 10 {
			p.compare()
		}
	})
}

// pair is two topics to which the same was sent.
type pair struct {
	rt     *rapid.T
	bus    hub.Bus
	topics [2]string
	places [2][]event.Position
	number map[event.Position]int // in its topic, of what stands at a position
}

func (p *pair) publish(size int) {
	batch := messages(p.topics[0], size)
	for i := range batch {
		batch[i].Data.Text = strings.Repeat("x", rapid.IntRange(0, 3).Draw(p.rt, "hundreds")*100) + fmt.Sprint(len(p.places[0])+i)
	}
	p.send(0, batch)
	for _, m := range batch {
		m.Topic = event.Topic(p.topics[1])
		p.send(1, []event.Message{m})
	}
}

func (p *pair) send(i int, batch []event.Message) {
	receipts, err := p.bus.Publish(p.rt.Context(), batch)
	if err != nil || len(receipts) != len(batch) {
		p.rt.Fatalf("%d receipts, %v", len(receipts), err)
	}
	for _, r := range receipts {
		p.number[r.Cursor.Position] = len(p.places[i])
		p.places[i] = append(p.places[i], r.Cursor.Position)
	}
}

func (p *pair) compare() {
	count := len(p.places[0])
	after := rapid.IntRange(-1, count-1).Draw(p.rt, "after")
	upto := rapid.IntRange(after, count-1).Draw(p.rt, "upto")
	last := rapid.IntRange(0, count+1).Draw(p.rt, "last")
	limit := rapid.IntRange(0, count+1).Draw(p.rt, "limit")
	bytes := rapid.IntRange(0, 100*count).Draw(p.rt, "bytes")
	var said [2]string
	for i := range said {
		r := event.Range{Topic: event.Topic(p.topics[i]), After: p.place(i, after), Upto: p.place(i, upto), Last: last, Limit: limit, Bytes: bytes}
		page, err := p.bus.History(p.rt.Context(), r)
		if err != nil {
			p.rt.Fatal(err)
		}
		said[i] = p.say(page)
	}
	if said[0] != said[1] {
		p.rt.Fatalf("behind %d up to %d of %d, last %d, limits %d and %d:\nin batches %s\none by one %s", after, upto, count-1, last, limit, bytes, said[0], said[1])
	}
}

// place returns where a message stands; -1 is before all of them.
func (p *pair) place(i, number int) event.Position {
	if number < 0 {
		return event.Position{}
	}
	return p.places[i][number]
}

func (p *pair) say(page event.Page) string {
	var b strings.Builder
	fmt.Fprintf(&b, "(%d, %d]", p.number[page.After], p.number[page.Upto])
	for _, g := range page.Gaps {
		fmt.Fprintf(&b, " gap %s up to %d", g.Reason, p.number[g.Position])
	}
	for _, e := range page.Events {
		fmt.Fprintf(&b, " %d<%d %s", p.number[e.Position], p.number[e.Prev], strings.TrimLeft(e.Data.Text, "x"))
	}
	return b.String()
}

// batchesAreKnownInPart repeats batches of which the store has some messages: by
// their numbers, the first ones; by their keys, any.
func batchesAreKnownInPart(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	publish(t, a, numbered("news", "p", 0, 9)...)
	r := publish(t, b, numbered("news", "p", 4, 90)...)
	for i, x := range r {
		if known := i+4 < 10; x.Duplicate != known || known && i+4 < 9 && x.Cursor != (event.Cursor{}) {
			t.Fatalf("%d has the receipt %+v", i+4, x)
		}
	}
	keyed := message("news", "keyed")
	keyed.IdempotencyKey = "k"
	first := publish(t, a, keyed)[0]
	batch := append(messages("news", 5), keyed)
	batch = append(batch, messages("news", 5)...)
	for i, x := range publish(t, b, batch...) {
		if x.Duplicate != (i == 5) || i == 5 && x.Cursor != first.Cursor {
			t.Errorf("message %d beside one that is known has the receipt %+v", i, x)
		}
	}
	want := texts(nil)
	for n := range 91 {
		want = append(want, fmt.Sprint(n))
	}
	want = append(want, "keyed", "0", "1", "2", "3", "4", "0", "1", "2", "3", "4")
	equal(t, "history", texts(all(t, a, "news")), want)
}

// batchEnds has a topic end behind a batch, and asks for parts that stop within.
func batchEnds(t *testing.T, open Open) {
	bus := open(t, wide())()
	feed := follow(t, bus)
	batch := append(messages("news", 4), ending(message("news", "4"), event.Completed), message("other", "x"))
	r := publish(t, bus, batch...)
	for n := range 5 {
		upto := r[n].Cursor.Position
		if n == 4 {
			upto = upto.Previous() // the receipt is that of the end
		}
		page := history(t, bus, event.Range{Topic: "news", Upto: upto, Last: 2})
		if want := batch[max(0, n-1) : n+1]; len(page.Events) != len(want) || page.Events[0].Data != want[0].Data || len(page.Gaps) > 0 || page.Upto != upto {
			t.Errorf("the last 2 up to message %d are %+v", n, page)
		}
	}
	feed.until("all is fed", func(fed []event.Event, _ event.Position) bool { return len(fed) == 7 })
	for i, e := range append(all(t, bus, "news"), all(t, bus, "other")...) {
		if fed := feed.events()[i]; e != fed {
			t.Errorf("%+v is stored, %+v was fed", e, fed)
		}
	}
}
