package bustest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// numbered returns messages of a producer with the numbers from first to last,
// which are their texts too.
func numbered(topic, producer string, first, last int64) (list []event.Message) {
	for n := first; n <= last; n++ {
		m := message(topic, fmt.Sprint(n))
		m.Producer, m.Seq = producer, n
		list = append(list, m)
	}
	return list
}

// The words for what a receipt says of a numbered message.
const (
	isNew = "new" // it was stored now
	isOld = "old" // it is a duplicate, of which no place is known
)

// verdicts words receipts. A duplicate whose place is known is told by that
// event's text.
func verdicts(t *testing.T, bus hub.Bus, receipts []event.Receipt) (words []string) {
	t.Helper()
	for _, r := range receipts {
		word := isOld
		for _, e := range all(t, bus, string(r.Topic)) {
			if e.Cursor() == r.Cursor {
				word = e.Data.Text
			}
		}
		switch {
		case word == isOld && (!r.Duplicate || r.Cursor != event.Cursor{}):
			t.Fatalf("the receipt %+v names no event", r)
		case !r.Duplicate:
			word = isNew
		}
		words = append(words, word)
	}
	return words
}

func sequenceIsTakenOnce(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	feed := follow(t, b)
	for _, step := range []struct {
		bus         hub.Bus
		first, last int64
		want        []string
	}{
		{a, 0, 0, []string{isNew}},
		{b, 0, 0, []string{"0"}},
		{b, 0, 3, []string{"0", isNew, isNew, isNew}},
		{a, 0, 3, []string{isOld, isOld, isOld, "3"}},
		{a, 2, 4, []string{isOld, "3", isNew}},
		{b, 3, 3, []string{isOld}},
		{b, 100, 101, []string{isNew, isNew}}, // a gap does no harm
		{a, 50, 51, []string{isOld, isOld}},
		{a, 101, 102, []string{"101", isNew}},
		{b, event.MaxSeq, event.MaxSeq, []string{isNew}},
		{a, event.MaxSeq - 1, event.MaxSeq, []string{isOld, fmt.Sprint(int64(event.MaxSeq))}},
	} {
		receipts := publish(t, step.bus, numbered("news", "p", step.first, step.last)...)
		equal(t, fmt.Sprintf("%d to %d", step.first, step.last), verdicts(t, a, receipts), step.want)
	}
	want := []string{"0", "1", "2", "3", "4", "100", "101", "102", fmt.Sprint(int64(event.MaxSeq))}
	equal(t, "history", texts(all(t, b, "news")), want)
	feed.until("all is fed", func(fed []event.Event, _ event.Position) bool { return len(fed) >= len(want) })
	equal(t, "feed", texts(feed.events()), want)
}

// sequenceWithinABatch has numbers that do not rise within one call.
func sequenceWithinABatch(t *testing.T, open Open) {
	bus := open(t, wide())()
	var batch []event.Message
	for _, n := range []int64{5, 5, 4, 6, 5, 6} {
		batch = append(batch, numbered("news", "p", n, n)...)
	}
	equal(t, "receipts", verdicts(t, bus, publish(t, bus, batch...)), []string{isNew, "5", isOld, isNew, isOld, "6"})
	equal(t, "history", texts(all(t, bus, "news")), []string{"5", "6"})
}

// sequencesApart has producers and topics that make the same text when they
// are joined, and messages without a producer among them.
func sequencesApart(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	var batch []event.Message
	for _, of := range [][2]string{{"a", "b:c"}, {"a:b", "c"}, {"a", "b/c"}, {"a", "b"}, {"a", "B"}, {"a.b", "c d"}, {"a", "ü"}} {
		batch = append(batch, numbered(of[0], of[1], 7, 7)...)
	}
	free := message("a", "7")
	free.Seq = 7
	batch = append(batch, free)
	want := slices.Repeat([]string{isNew}, len(batch))
	equal(t, "receipts", verdicts(t, a, publish(t, a, batch...)), want)
	want = append(slices.Repeat([]string{"7"}, len(batch)-1), isNew)
	equal(t, "again", verdicts(t, a, publish(t, b, batch...)), want)
	// One producer may number its messages over several topics.
	over := slices.Concat(numbered("x", "p", 0, 0), numbered("y", "p", 1, 2), numbered("x", "p", 3, 3))
	equal(t, "over topics", verdicts(t, a, publish(t, a, over...)), []string{isNew, isNew, isNew, isNew})
	equal(t, "over topics, again", verdicts(t, a, publish(t, b, over...)), []string{isOld, isOld, "2", "3"})
}

// failedSequenceIsForgotten has batches refused for the key of one of their
// messages.
func failedSequenceIsForgotten(t *testing.T, open Open) {
	bus := open(t, wide())()
	used := message("news", "used")
	used.IdempotencyKey = "k"
	publish(t, bus, slices.Concat([]event.Message{used}, numbered("news", "p", 1, 1))...)
	clash := message("news", "clash")
	clash.IdempotencyKey = "k"
	fresh := message("news", "fresh")
	fresh.IdempotencyKey = "fresh"
	again := fresh
	again.Data.Text = "again"
	for _, batch := range [][]event.Message{
		slices.Concat(numbered("news", "p", 2, 4), []event.Message{clash}),
		slices.Concat([]event.Message{fresh}, numbered("news", "p", 2, 4), []event.Message{again}),
		slices.Concat(numbered("other", "q", 2, 4), []event.Message{clash}),
	} {
		_, err := bus.Publish(t.Context(), batch)
		if item, ok := errors.AsType[*event.ItemError](err); !ok || item.Index != len(batch)-1 || !errors.Is(err, event.ErrKeyReused) {
			t.Fatalf("got %v, want ErrKeyReused of message %d", err, len(batch)-1)
		}
	}
	batch := slices.Concat(numbered("news", "p", 1, 3), numbered("other", "q", 1, 3))
	equal(t, "receipts", verdicts(t, bus, publish(t, bus, batch...)), []string{"1", isNew, isNew, isNew, isNew, isNew})
	equal(t, "history", texts(all(t, bus, "news")), []string{"used", "1", "2", "3"})
}

// sequenceBesideKeys has messages with a number and a key: the number counts
// first, and one whose key is known still has its number.
func sequenceBesideKeys(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	keyed := func(n int64, text, key string) event.Message {
		m := numbered("news", "p", n, n)[0]
		m.Data.Text, m.IdempotencyKey = text, key
		return m
	}
	step := func(what string, bus hub.Bus, want []string, batch ...event.Message) {
		t.Helper()
		equal(t, what, verdicts(t, a, publish(t, bus, batch...)), want)
	}
	step("new", a, []string{isNew, isNew}, keyed(1, "a", "ka"), keyed(2, "b", "kb"))
	step("repeated", b, []string{isOld, "b"}, keyed(1, "a", "ka"), keyed(2, "b", "kb"))
	step("another key", b, []string{isOld, "b"}, keyed(1, "z", "free"), keyed(2, "z", "free"))
	step("a key of another message", b, []string{"b"}, keyed(2, "z", "ka"))
	step("a known key moves the number on", b, []string{"a"}, keyed(5, "a", "ka"))
	step("that number repeated", a, []string{isOld, isOld, "a"}, keyed(3, "c", "kc"), keyed(4, "d", ""), keyed(5, "a", "ka"))
	step("that number with another text", a, []string{"a"}, keyed(5, "e", ""))
	step("in one batch", a, []string{isNew, "f", "f", isOld, isNew}, keyed(6, "f", "kf"), keyed(7, "f", "kf"), keyed(7, "g", "kg"), keyed(6, "f", "kf"), keyed(8, "g", "kg"))
	// The keys of messages that are left out for their numbers stay free.
	step("a free key", b, []string{isNew, isNew}, keyed(9, "h", "free"), keyed(10, "i", "kc"))
	equal(t, "history", texts(all(t, b, "news")), []string{"a", "b", "f", "g", "h", "i"})
}

// racingSendersOverlap has several senders of one producer send the same
// messages at once, each in batches of its own size.
func racingSendersOverlap(t *testing.T, open Open) {
	const last = 300
	node := open(t, wide())
	nodes := []hub.Bus{node(), node()}
	feed := follow(t, nodes[0])
	var (
		senders sync.WaitGroup
		mu      sync.Mutex
		stored  = map[string]int{}
		want    = texts(nil)
	)
	for s, size := range []int64{1, 2, 7, 30} {
		senders.Go(func() {
			for n := int64(0); n <= last; n += size {
				batch := numbered("news", "p", n, min(n+size-1, last))
				receipts, err := nodes[s%2].Publish(t.Context(), batch)
				if err != nil || len(receipts) != len(batch) {
					t.Errorf("%d receipts, %v", len(receipts), err)
					return
				}
				mu.Lock()
				for i, r := range receipts {
					if !r.Duplicate {
						stored[r.Cursor.String()+" is "+batch[i].Data.Text]++
					}
				}
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	for n := range last + 1 {
		want = append(want, fmt.Sprint(n))
	}
	events := all(t, nodes[1], "news")
	equal(t, "history", texts(events), want)
	for _, e := range events {
		if n := stored[e.Cursor().String()+" is "+e.Data.Text]; n != 1 {
			t.Errorf("%s was acknowledged as stored %d times", e.Data.Text, n)
		}
	}
	if len(stored) != len(want) {
		t.Errorf("%d places were given out for %d messages", len(stored), len(want))
	}
	feed.until("all is fed", func(fed []event.Event, _ event.Position) bool { return len(fed) >= len(want) })
	equal(t, "feed", texts(feed.events()), want)
}
