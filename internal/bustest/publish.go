package bustest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"tickertape/internal/event"
)

func positionsRise(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	last := event.Position{}
	for i := range 200 {
		bus := a
		if i%2 == 1 {
			bus = b
		}
		before := now(t, b)
		r := publish(t, bus, message(fmt.Sprint("t", i%3), "x"))[0]
		if !r.Cursor.Position.After(last) || !r.Cursor.Position.After(before) {
			t.Fatalf("%v was given out behind %v, the clock at %v", r.Cursor.Position, last, before)
		}
		if clock := now(t, a); r.Cursor.Position.After(clock) {
			t.Fatalf("%v lies beyond the clock, %v", r.Cursor.Position, clock)
		}
		last = r.Cursor.Position
	}
}

func batchIsWhole(t *testing.T, open Open) {
	bus := open(t, wide())()
	feed := follow(t, bus)
	var publishers sync.WaitGroup
	for p := range 4 {
		publishers.Go(func() {
			for i := range 25 {
				batch := make([]event.Message, 10)
				for j := range batch {
					batch[j] = message(fmt.Sprint("t", j%3), fmt.Sprint(p, ".", i))
				}
				publish(t, bus, batch...)
			}
		})
	}
	publishers.Wait()
	feed.until("all is fed", func(fed []event.Event, _ event.Position) bool { return len(fed) == 1000 })
	fed := feed.events()
	for i := 0; i < 1000; i += 10 {
		for j, e := range fed[i : i+10] {
			if want := event.Topic(fmt.Sprint("t", j%3)); e.Topic != want || e.Data.Text != fed[i].Data.Text {
				t.Fatalf("event %d of the batch at %d is %q of %s: another message stands in between", j, i, e.Data.Text, e.Topic)
			}
		}
	}
}

func retryDoesNotDouble(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	m := message("news", "x")
	m.IdempotencyKey = "k"
	first := publish(t, a, m)[0]
	if first.Duplicate {
		t.Fatal("the first one is called a duplicate")
	}
	publish(t, b, message("elsewhere", "between"))
	again := publish(t, b, m, m)
	for _, r := range again {
		if !r.Duplicate || r.Cursor != first.Cursor {
			t.Fatalf("a retry got %+v, the first one %+v", r, first)
		}
	}
	elsewhere := m
	elsewhere.Topic = "other"
	if r := publish(t, a, elsewhere)[0]; r.Duplicate {
		t.Fatal("a key counts beyond its topic")
	}
	twice := message("twice", "x")
	twice.IdempotencyKey = "k"
	if r := publish(t, a, twice, twice); r[0].Duplicate || !r[1].Duplicate || r[0].Cursor != r[1].Cursor {
		t.Fatalf("a key twice in one batch got %+v", r)
	}
	for _, topic := range []string{"news", "other", "twice"} {
		equal(t, topic, texts(all(t, b, topic)), []string{"x"})
	}
}

func keyOfAnotherMessageRefusesAll(t *testing.T, open Open) {
	bus := open(t, wide())()
	feed := follow(t, bus)
	m := message("news", "x")
	m.IdempotencyKey = "k"
	publish(t, bus, m)
	other := m
	other.Data.Text = "y"
	fresh := message("news", "z")
	fresh.IdempotencyKey = "fresh"
	for _, batch := range [][]event.Message{{fresh, other, fresh}, {message("news", "a"), other}} {
		_, err := bus.Publish(t.Context(), batch)
		item, ok := errors.AsType[*event.ItemError](err)
		if !ok || item.Index != 1 || !errors.Is(err, event.ErrKeyReused) {
			t.Fatalf("got %v, want ErrKeyReused of message 1", err)
		}
	}
	conflict := fresh
	conflict.Data.Text = "zz"
	if _, err := bus.Publish(t.Context(), []event.Message{fresh, conflict}); !errors.Is(err, event.ErrKeyReused) {
		t.Fatalf("two messages of one batch with one key: %v", err)
	}
	equal(t, "history", texts(all(t, bus, "news")), []string{"x"})
	if r := publish(t, bus, fresh)[0]; r.Duplicate {
		t.Fatal("a refused batch left its keys behind")
	}
	feed.until("both are fed", func(fed []event.Event, _ event.Position) bool { return len(fed) == 2 })
	equal(t, "feed", texts(feed.events()), []string{"x", "z"})
}

func racingRetriesStoreOnce(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	for i := range 50 {
		m := message("news", fmt.Sprint(i))
		m.IdempotencyKey = fmt.Sprint(i)
		var both sync.WaitGroup
		both.Go(func() { publish(t, a, m) })
		both.Go(func() { publish(t, b, m) })
		both.Wait()
	}
	want := []string{}
	for i := range 50 {
		want = append(want, fmt.Sprint(i))
	}
	equal(t, "history", texts(all(t, a, "news")), want)
}

func everythingComesBackAsItWas(t *testing.T, open Open) {
	bus := open(t, wide())()
	feed := follow(t, bus)
	sent := []event.Message{
		{Topic: "a~b:c@d-e_f.g", Name: "tick", Key: "k.1", Data: event.Data{Text: "line\r\nline\rline\n\x00 \u2028é"}},
		{Topic: "a", Data: event.Data{Text: ""}},
		{Topic: "a", Name: "x y", Data: event.Data{Text: `{"n":1.00,"s":"\u00e9"}`, JSON: true}},
		{Topic: "a", Data: event.Data{Text: `"text"`}},
	}
	receipts := publish(t, bus, sent...)
	feed.until("all is fed", func(fed []event.Event, _ event.Position) bool { return len(fed) == len(sent) })
	fed := feed.events()
	stored := append(all(t, bus, "a~b:c@d-e_f.g"), all(t, bus, "a")...)
	for i, m := range sent {
		for where, e := range map[string]event.Event{"feed": fed[i], "history": stored[i]} {
			got := event.Message{Topic: e.Topic, Name: e.Name, Key: e.Key, Data: e.Data}
			if got != m || e.Cursor() != receipts[i].Cursor {
				t.Errorf("%s: %+v came back as %+v", where, m, e)
			}
		}
	}
}
