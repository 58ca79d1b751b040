package bustest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// cells returns events as "key=text".
func cells(events []event.Event) []string {
	list := []string{}
	for _, e := range events {
		list = append(list, e.Key+"="+e.Data.Text)
	}
	return list
}

// expectTable holds a table's history behind a position against the wanted
// cells, and expects no gap.
func expectTable(t *testing.T, bus hub.Bus, topic string, after event.Position, want string) {
	t.Helper()
	page := history(t, bus, event.Range{Topic: event.Topic(topic), After: after, Upto: now(t, bus)})
	if got := strings.Join(cells(page.Events), " "); got != want || len(page.Gaps) > 0 {
		t.Fatalf("behind %v: got %q, gaps %+v; want %q", after, got, page.Gaps, want)
	}
}

func tableKeepsTheNewest(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	feed := follow(t, b)
	r := publish(t, a, set("table.x", "a", "1"), set("table.x", "b", "1"))
	r = append(r, publish(t, b, set("table.x", "a", "2"))...)
	expectTable(t, a, "table.x", event.Position{}, "b=1 a=2")
	r = append(r, publish(t, a, set("table.x", "c", "1"), set("table.x", "a", "3"), set("table.x", "a", "4"), set("table.y", "a", "5"))...)
	for after, want := range map[event.Position]string{
		{}: "b=1 c=1 a=4", r[0].Cursor.Position: "b=1 c=1 a=4", r[2].Cursor.Position: "c=1 a=4", r[4].Cursor.Position: "a=4", r[5].Cursor.Position: "",
	} {
		expectTable(t, b, "table.x", after, want)
	}
	info, known, err := b.Topic(t.Context(), "table.x")
	if want := (event.TopicInfo{Topic: "table.x", Kind: event.KindLatest, Retained: 3, First: r[1].Cursor, Last: r[5].Cursor}); err != nil || !known || info != want {
		t.Errorf("described as %+v, %v; want %+v", info, err, want)
	}
	// Who listens gets them all, each behind the one before.
	feed.until("all is fed", func(fed []event.Event, _ event.Position) bool { return len(fed) == len(r) })
	prev := event.Position{}
	fed := feed.events()
	equal(t, "feed", cells(fed), []string{"a=1", "b=1", "a=2", "c=1", "a=3", "a=4", "a=5"})
	for i, e := range fed[:6] {
		if e.Kind != event.KindLatest || e.Prev != prev || e.Cursor() != r[i].Cursor || e.Deletes() {
			t.Errorf("%s was fed as %+v, behind %v", cells(fed[i:i+1]), e, prev)
		}
		prev = e.Position
	}
	for _, e := range all(t, a, "table.x") {
		if e.Kind != event.KindLatest {
			t.Errorf("%+v of the history is of another kind", e)
		}
	}
}

func tableKeysAreDeleted(t *testing.T, open Open) {
	bus := open(t, wide())()
	r := publish(t, bus, set("table.x", "a", "1"), set("table.x", "b", "1"), del("table.x", "a"))
	expectTable(t, bus, "table.x", event.Position{}, "b=1 a=null")
	if e := all(t, bus, "table.x")[1]; !e.Deletes() || e.Cursor() != r[2].Cursor {
		t.Errorf("a deletion is stored as %+v", e)
	}
	// Twice is as good as once, and one of no key is told too.
	publish(t, bus, del("table.x", "a"), del("table.x", "never"))
	expectTable(t, bus, "table.x", r[1].Cursor.Position, "a=null never=null")
	publish(t, bus, set("table.x", "a", "2"))
	expectTable(t, bus, "table.x", event.Position{}, "b=1 never=null a=2")
	// The text null is a text.
	publish(t, bus, set("table.x", "b", "null"))
	if e := all(t, bus, "table.x")[2]; e.Key != "b" || e.Deletes() {
		t.Errorf("the text null is stored as %+v", e)
	}
}

func tableKeysAreLimited(t *testing.T, open Open) {
	node := open(t, wide())
	a, b := node(), node()
	for i := range tableKeys {
		publish(t, a, set("table.x", fmt.Sprint(i), "1"))
	}
	for _, c := range []struct {
		index int
		batch []event.Message
	}{
		{0, []event.Message{set("table.x", "new", "1")}},
		{2, []event.Message{message("log", "x"), set("table.x", "1", "2"), set("table.x", "new", "1")}},
		{1, []event.Message{del("table.x", "new"), set("table.x", "new", "1"), del("table.x", "1")}},
		{2, []event.Message{del("table.x", "1"), set("table.x", "new", "1"), set("table.x", "1", "1")}},
		{tableKeys, func() (list []event.Message) {
			for i := range tableKeys + 1 {
				list = append(list, set("table.y", fmt.Sprint(i), "1"))
			}
			return list
		}()},
	} {
		why := refused[*event.TableFullError](t, b, c.index, c.batch...)
		if why.Topic != c.batch[c.index].Topic || why.Limit != fmt.Sprint(tableKeys, " keys") {
			t.Errorf("%v is refused with %+v", c.batch, why)
		}
	}
	// What does not add to it is taken; what makes room makes room.
	publish(t, b, set("table.x", "1", "2"), del("table.x", "2"), set("table.x", "new", "1"))
	refused[*event.TableFullError](t, a, 0, set("table.x", "2", "2"))
	publish(t, a, end("table.x", event.Completed))
	equal(t, "table", cells(all(t, a, "table.x")[:6]), []string{"0=1", "3=1", "4=1", "1=2", "2=null", "new=1"})
}

func tableBytesAreLimited(t *testing.T, open Open) {
	limits := wide()
	limits.Bytes = 20_000
	bus := open(t, limits)()
	value := func(n int) string { return strings.Repeat("x", n) }
	publish(t, bus, set("table.x", "a", value(8000)), set("table.x", "b", value(8000)))
	for range 10 { // what is superseded does not count
		publish(t, bus, set("table.x", "a", value(8000)))
	}
	why := refused[*event.TableFullError](t, bus, 1, set("table.x", "b", "small"), set("table.x", "c", value(15_000)))
	if why.Topic != "table.x" || why.Limit != "20000 bytes" {
		t.Errorf("refused with %+v", why)
	}
	refused[*event.TableFullError](t, bus, 0, set("table.x", "c", value(8000)))
	refused[*event.TableFullError](t, bus, 0, set("table.x", "a", value(15_000)))
	refused[*event.TableFullError](t, bus, 0, set("table.new", "a", value(25_000)))
	publish(t, bus, del("table.x", "a"), set("table.x", "c", value(8000)))
	if got := all(t, bus, "table.x"); len(got) != 3 || !got[1].Deletes() {
		t.Errorf("%d entries are left: %.100v", len(got), got)
	}
	// However little room is left, keys can be deleted, and the topic ended.
	fits := 0
	for step := 16_384; step > 0; step /= 2 {
		_, err := bus.Publish(t.Context(), []event.Message{set("table.y", "a", value(fits+step))})
		if err == nil {
			fits += step
		} else if _, full := errors.AsType[*event.TableFullError](err); !full {
			t.Fatal(err)
		}
	}
	if fits < 15_000 || fits > 20_000 {
		t.Errorf("%d bytes fit", fits)
	}
	publish(t, bus, set("table.y", "a", value(fits)), del("table.y", "never"), end("table.y", event.Failed))
}

// tablePagesAddUp reads a table in pieces while its entries come late and
// early.
func tablePagesAddUp(t *testing.T, open Open) {
	bus := open(t, wide())()
	for i := range 50 {
		publish(t, bus, set("table.x", fmt.Sprint("k", i*i%7%tableKeys), fmt.Sprint(i)))
	}
	events := all(t, bus, "table.x")
	want, upto := cells(events), now(t, bus)
	var got []string
	for r := (event.Range{Topic: "table.x", Upto: upto, Limit: 2}); r.After != upto; {
		page := history(t, bus, r)
		if len(page.Events) > 2 || len(page.Gaps) > 0 || !page.Upto.After(r.After) {
			t.Fatalf("a page of at most 2 is %+v", page)
		}
		got = append(got, cells(page.Events)...)
		r.After = page.Upto
	}
	equal(t, "pages", got, want)
	last := history(t, bus, event.Range{Topic: "table.x", Upto: upto, Last: 2})
	equal(t, "the last two", cells(last.Events), want[len(want)-2:])
	if last.After != last.Events[0].Prev || len(last.Gaps) > 0 {
		t.Errorf("the last two begin behind %v, want %v; gaps %+v", last.After, last.Events[0].Prev, last.Gaps)
	}
}

// deletionsAreLimited deletes more keys than a table may have. The oldest
// deletions go, and who comes from before them is told so, and gets what
// stands all the same.
func deletionsAreLimited(t *testing.T, open Open) {
	bus := open(t, wide())()
	start := publish(t, bus, set("table.x", "old", "1"))[0].Cursor.Position
	var deleted []event.Position
	for i := range tableKeys + 2 {
		key := fmt.Sprint("k", i)
		publish(t, bus, set("table.x", key, "1"))
		if i == 1 {
			publish(t, bus, set("table.x", "between", "1"))
		}
		deleted = append(deleted, publish(t, bus, del("table.x", key))[0].Cursor.Position)
	}
	upto := now(t, bus)
	gone := event.Gap{Position: deleted[1], Since: deleted[tableKeys+1], Reason: event.Trimmed}
	want := []string{"old=1", "between=1", "k2=null", "k3=null", "k4=null", "k5=null", "k6=null"}
	for after, missing := range map[event.Position]int{{}: 0, start: 1, deleted[0]: 1, deleted[1]: 2, deleted[2]: 3} {
		page := history(t, bus, event.Range{Topic: "table.x", After: after, Upto: upto})
		equal(t, fmt.Sprintf("behind %v", after), cells(page.Events), want[missing:])
		switch told := len(page.Gaps) > 0; {
		case told != deleted[1].After(after):
			t.Errorf("behind %v: gaps %+v", after, page.Gaps)
		case told && (len(page.Gaps) > 1 || page.Gaps[0] != gone):
			t.Errorf("behind %v: gaps %+v, want %+v", after, page.Gaps, gone)
		}
	}
	// A range that ends before the newest one that is gone: some of what is
	// gone may lie in it, what stands in it does.
	page := history(t, bus, event.Range{Topic: "table.x", Upto: deleted[0]})
	equal(t, "up to the first one", cells(page.Events), want[:1])
	if page.Upto != deleted[0] || len(page.Gaps) != 1 || page.Gaps[0].Position.After(deleted[0]) {
		t.Errorf("a range that ends within what is gone: %+v", page)
	}
}

// oldestDeletionsGo has deletions of one moment, whose keys are in another order.
func oldestDeletionsGo(t *testing.T, open Open) {
	bus := open(t, wide())()
	var batch []event.Message
	var want []string
	for i := range tableKeys + 3 {
		key := fmt.Sprint("k", 7*i%(tableKeys+3))
		batch = append(batch, del("table.x", key))
		want = append(want, key+"=null")
	}
	r := publish(t, bus, batch...)
	page := history(t, bus, event.Range{Topic: "table.x", Upto: now(t, bus)})
	equal(t, "deletions", cells(page.Events), want[3:])
	if len(page.Gaps) != 1 || page.Gaps[0].Position != r[2].Cursor.Position {
		t.Errorf("the gaps are %+v, want one at %v", page.Gaps, r[2].Cursor.Position)
	}
}

// deletionsExpire keeps a table alive until a deletion is too old. Keys are
// never.
func deletionsExpire(t *testing.T, open Open) {
	limits := wide()
	limits.Age = 2 * time.Second
	bus := open(t, limits)()
	follow(t, bus) // books are swept while a feed runs
	r := publish(t, bus, set("table.x", "old", "1"), set("table.x", "k", "1"), del("table.x", "k"))
	old, deleted := r[0].Cursor.Position, r[2].Cursor.Position
	var page event.Page
	eventually(t, "the deletion has expired", func() bool {
		publish(t, bus, set("table.x", "new", "1"))
		page = history(t, bus, event.Range{Topic: "table.x", After: old, Upto: now(t, bus)})
		return len(page.Gaps) > 0
	})
	if want := (event.Gap{Position: deleted, Since: deleted.Add(limits.Age), Reason: event.Expired}); page.Gaps[0] != want {
		t.Errorf("the gap is %+v, want %+v", page.Gaps[0], want)
	}
	equal(t, "what is left", cells(all(t, bus, "table.x")), []string{"old=1", "new=1"})
	expectTable(t, bus, "table.x", deleted, "new=1")
}

func tableExpiresAsAWhole(t *testing.T, open Open) {
	limits := wide()
	limits.Age = time.Second
	bus := open(t, limits)()
	follow(t, bus) // books are swept while a feed runs
	start := now(t, bus)
	publish(t, bus, set("table.x", "a", "1"), set("table.x", "b", "1"))
	last := publish(t, bus, set("table.x", "a", "2"))[0].Cursor.Position
	eventually(t, "the table is forgotten", func() bool {
		_, known, err := bus.Topic(t.Context(), "table.x")
		return err == nil && !known
	})
	page := history(t, bus, event.Range{Topic: "table.x", After: start, Upto: now(t, bus)})
	if want := (event.Gap{Position: last, Since: last.Add(limits.Age), Reason: event.Expired}); len(page.Events) > 0 || len(page.Gaps) != 1 || page.Gaps[0] != want {
		t.Errorf("got %+v, want the gap %+v", page, want)
	}
	publish(t, bus, set("table.x", "b", "2"))
	expectTable(t, bus, "table.x", last, "b=2")
}
