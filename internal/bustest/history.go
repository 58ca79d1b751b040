package bustest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
)

func historyKeepsItsBounds(t *testing.T, open Open) {
	bus := open(t, wide())()
	publish(t, bus, messages("other", 3)...)
	r := publish(t, bus, messages("news", 5)...)
	at := func(i int) event.Position { return r[i].Cursor.Position }
	for _, c := range []struct {
		after, upto event.Position
		want        string
	}{
		{event.Position{}, at(4), "0 1 2 3 4"},
		{at(0), at(4), "1 2 3 4"},
		{at(1), at(3), "2 3"},
		{at(2), at(2), ""},
		{at(4), now(t, bus), ""},
		{event.Position{}, event.Position{MS: 1}, ""},
	} {
		page := history(t, bus, event.Range{Topic: "news", After: c.after, Upto: c.upto})
		if got := strings.Join(texts(page.Events), " "); got != c.want || page.After != c.after || page.Upto != c.upto || len(page.Gaps) > 0 {
			t.Errorf("(%v, %v]: got %q %+v, want %q", c.after, c.upto, got, page, c.want)
		}
	}
	nothing := history(t, bus, event.Range{Topic: "unheard.of", Upto: at(4)})
	if len(nothing.Events)+len(nothing.Gaps) > 0 || nothing.Upto != at(4) {
		t.Errorf("a topic that never was has the history %+v", nothing)
	}
}

func pagesAddUp(t *testing.T, open Open) {
	bus := open(t, wide())()
	publish(t, bus, messages("news", 25)...)
	upto := now(t, bus)
	var got []string
	r := event.Range{Topic: "news", Upto: upto, Limit: 7}
	for range 10 {
		page := history(t, bus, r)
		if len(page.Events) > 7 || len(page.Gaps) > 0 {
			t.Fatalf("a page of at most 7 is %+v", page)
		}
		if full := len(page.Events) == 7; full && page.Upto != page.Events[6].Position || !full && page.Upto != upto {
			t.Fatalf("a page with %d events claims to be complete up to %v", len(page.Events), page.Upto)
		}
		got = append(got, texts(page.Events)...)
		if r.After = page.Upto; r.After == upto {
			break
		}
	}
	equal(t, "pages", got, texts(all(t, bus, "news")))
}

func lastBeginsAtItsFirst(t *testing.T, open Open) {
	limits := wide()
	limits.Messages = 6
	bus := open(t, limits)()
	r := publish(t, bus, messages("news", 10)...)
	at := func(i int) event.Position { return r[i].Cursor.Position }
	for _, c := range []struct {
		last  int
		upto  event.Position
		after event.Position
		want  string
		gaps  int
	}{
		{3, at(9), at(6), "7 8 9", 0},
		{2, at(7), at(5), "6 7", 0},
		{100, at(9), event.Position{}, "4 5 6 7 8 9", 1},
	} {
		page := history(t, bus, event.Range{Topic: "news", Upto: c.upto, Last: c.last})
		if got := strings.Join(texts(page.Events), " "); got != c.want || page.After != c.after || len(page.Gaps) != c.gaps {
			t.Errorf("the last %d up to %v: got %q %+v, want %q behind %v", c.last, c.upto, got, page, c.want, c.after)
		}
	}
	for _, limited := range []event.Range{{Limit: 2}, {Bytes: 2}} {
		limited.Topic, limited.Upto, limited.Last = "news", at(9), 5
		page := history(t, bus, limited)
		if got := strings.Join(texts(page.Events), " "); got != "5 6" || page.After != at(4) || page.Upto != at(6) {
			t.Errorf("the first 2 of the last 5: %q %+v", got, page)
		}
	}
}

func trimIsAGap(t *testing.T, open Open) {
	limits := wide()
	limits.Messages = 5
	bus := open(t, limits)()
	r := publish(t, bus, messages("news", 4)...)
	r = append(r, publish(t, bus, messages("news", 8)...)...)
	at := func(i int) event.Position { return r[i].Cursor.Position }
	upto := now(t, bus)
	for i, after := range []event.Position{{}, at(0), at(5), at(6), at(7), at(11)} {
		page := history(t, bus, event.Range{Topic: "news", After: after, Upto: upto})
		wantGap := i < 3
		if (len(page.Gaps) == 1) != wantGap || wantGap && page.Gaps[0] != (event.Gap{Position: at(6), Since: at(11), Reason: event.Trimmed}) {
			t.Errorf("behind %v: gaps %+v", after, page.Gaps)
		}
		want := min(5, []int{5, 5, 5, 5, 4, 0}[i])
		if len(page.Events) != want {
			t.Errorf("behind %v: %d events, want %d", after, len(page.Events), want)
		}
	}
	// How much of what is gone lay up to at(3), the store does not know.
	page := history(t, bus, event.Range{Topic: "news", After: at(1), Upto: at(3)})
	if page.Upto != at(1) || len(page.Events) > 0 || len(page.Gaps) != 1 || page.Gaps[0].Position != at(6) {
		t.Errorf("a range that ends within what is gone: %+v", page)
	}
}

func bytesAreLimited(t *testing.T, open Open) {
	limits := wide()
	limits.Bytes = 20_000
	bus := open(t, limits)()
	for range 20 {
		publish(t, bus, message("news", strings.Repeat("x", 2000)))
	}
	page := history(t, bus, event.Range{Topic: "news", Upto: now(t, bus)})
	if n := len(page.Events); n < 2 || n > 10 || len(page.Gaps) != 1 || page.Gaps[0].Reason != event.Trimmed {
		t.Errorf("of 20 messages of 2,000 bytes, %d are within 20,000; gaps %+v", n, page.Gaps)
	}
	publish(t, bus, message("news", strings.Repeat("x", 30_000)))
	if events := all(t, bus, "news"); len(events) != 1 {
		t.Errorf("a message over the limit of its topic leaves %d; it alone should be kept", len(events))
	}
}

func ageIsAGap(t *testing.T, open Open) {
	limits := wide()
	limits.Age = 2 * time.Second
	bus := open(t, limits)()
	first := publish(t, bus, messages("news", 3)...)
	last := first[2].Cursor.Position
	lost := event.Gap{Position: last, Since: last.Add(limits.Age), Reason: event.Expired}
	eventually(t, "the old ones have expired", func() bool {
		publish(t, bus, message("news", "new"))
		page := history(t, bus, event.Range{Topic: "news", After: first[0].Cursor.Position, Upto: now(t, bus)})
		return len(page.Gaps) == 1 && (page.Gaps[0] == lost || page.Gaps[0].Position.After(lost.Position))
	})
	page := history(t, bus, event.Range{Topic: "news", After: first[0].Cursor.Position, Upto: now(t, bus)})
	if len(page.Gaps) != 1 || page.Gaps[0].Reason != event.Expired {
		t.Errorf("what is over its age is said as %+v", page.Gaps)
	}
}

// forgottenCannotBeExcluded: once a topic is out of the books, nobody knows
// what it had. A cursor from before that is told so, a later one is not.
func forgottenCannotBeExcluded(t *testing.T, open Open) {
	limits := wide()
	limits.Age = time.Second
	bus := open(t, limits)()
	follow(t, bus) // books are swept while a feed runs
	start := now(t, bus)
	old := publish(t, bus, messages("news", 3)...)[2].Cursor.Position
	eventually(t, "the topic is forgotten", func() bool {
		_, known, err := bus.Topic(t.Context(), "news")
		return err == nil && !known
	})
	for _, topic := range []event.Topic{"news", "never.was"} {
		before := history(t, bus, event.Range{Topic: topic, After: start, Upto: now(t, bus)})
		if len(before.Gaps) != 1 || before.Gaps[0] != (event.Gap{Position: old, Since: old.Add(limits.Age), Reason: event.Expired}) {
			t.Errorf("%s: a cursor from before is told %+v", topic, before.Gaps)
		}
		after := history(t, bus, event.Range{Topic: topic, After: old, Upto: now(t, bus)})
		if len(after.Gaps) > 0 {
			t.Errorf("%s: a cursor that has seen all is told %+v", topic, after.Gaps)
		}
	}
	publish(t, bus, message("news", "new life"))
	page := history(t, bus, event.Range{Topic: "news", After: start, Upto: now(t, bus)})
	if len(page.Gaps) != 1 || page.Gaps[0].Position != old || len(page.Events) != 1 || page.Events[0].Prev != old {
		t.Errorf("a topic that came again: %+v", page)
	}
}

func topicsAreListed(t *testing.T, open Open) {
	limits := wide()
	limits.Messages = 2
	bus := open(t, limits)()
	for _, name := range []string{"quotes.MSFT", "news", "quotes.AAPL", "quotes.deep.er"} {
		publish(t, bus, messages(name, 3)...)
	}
	quotes, err := event.ParseSelector("quotes.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		match *event.Selector
		after event.Topic
		limit int
		want  []event.Topic
	}{
		{nil, "", 10, []event.Topic{"news", "quotes.AAPL", "quotes.MSFT", "quotes.deep.er"}},
		{nil, "", 2, []event.Topic{"news", "quotes.AAPL"}},
		{nil, "quotes.AAPL", 2, []event.Topic{"quotes.MSFT", "quotes.deep.er"}},
		{&quotes, "", 10, []event.Topic{"quotes.AAPL", "quotes.MSFT"}},
	} {
		infos, err := bus.Topics(t.Context(), c.match, c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var names []event.Topic
		for _, i := range infos {
			names = append(names, i.Topic)
		}
		equal(t, fmt.Sprintf("%v behind %q", c.match, c.after), names, c.want)
	}
	info, known, err := bus.Topic(t.Context(), "news")
	events := all(t, bus, "news")
	if err != nil || !known || info.Retained != 2 || info.First != events[0].Cursor() || info.Last != events[1].Cursor() {
		t.Errorf("news is described as %+v, %v, %v", info, known, err)
	}
}
