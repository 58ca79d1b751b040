package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

// inTables runs a test with a hub whose topics below t are tables, in a bubble.
func inTables(t *testing.T, o hub.Options, test func(*testing.T, *troubled, *hub.Hub)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o.Rules = event.Rules{rule(t, "t.*", event.KindLatest), rule(t, "e.*", event.KindEphemeral)}
		b := &troubled{Bus: membus.New(membus.Options{Rules: o.Rules})}
		h, end := run(t, b, o)
		defer end()
		test(t, b, h)
	})
}

// set publishes "key=value" for each word; without a value it deletes the key.
func set(t *testing.T, bus hub.Bus, topic event.Topic, words ...string) (ids []string) {
	t.Helper()
	for _, word := range words {
		key, value, keep := strings.Cut(word, "=")
		data := event.Data{Text: key + "=" + value}
		if !keep {
			data = event.Data{JSON: true, Text: "null"}
		}
		r, err := bus.Publish(context.Background(), []event.Message{{Topic: topic, Key: key, Data: data}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r[0].Cursor.String())
	}
	return ids
}

func at(id string) hub.Start { return hub.Start{Cursor: id} }

// A table begins as it stands, whenever one comes, and goes on with what
// changes; who comes back gets what has changed meanwhile.
func TestTable(t *testing.T) {
	inTables(t, hub.Options{}, func(t *testing.T, b *troubled, h *hub.Hub) {
		ids := set(t, b, "t.a", "x=1", "y=1", "x=2", "z=1", "y")
		time.Sleep(time.Minute)
		var subs []*hub.Subscriber
		for range 3 {
			s := subscribe(t, h, &bell{}, hub.Start{}, "t.a")
			defer s.Close()
			expect(t, "a new one", s, "x=2 z=1 null")
			subs = append(subs, s)
		}
		set(t, b, "t.a", "z=2", "x=3", "z=3")
		for _, s := range subs {
			expect(t, "then", s, "x=3 z=3")
		}
		for i, want := range []string{"null x=3 z=3", "null x=3 z=3", "null x=3 z=3", "null x=3 z=3", "x=3 z=3"} {
			back := subscribe(t, h, &bell{}, at(ids[i]), "t.a")
			expect(t, "back from "+fmt.Sprint(i), back, want)
			back.Close()
		}
	})
}

// Who takes everything at once gets every change: only those who are behind get
// the newest alone.
func TestTableConflatesOnlyBehind(t *testing.T) {
	inTables(t, hub.Options{}, func(t *testing.T, b *troubled, h *hub.Hub) {
		fast := subscribe(t, h, &bell{}, hub.Start{}, "t.a")
		slow := subscribe(t, h, &bell{}, hub.Start{}, "t.a")
		defer fast.Close()
		defer slow.Close()
		for i := range 3000 {
			word := fmt.Sprintf("k%d=%d", i%3, i)
			set(t, b, "t.a", word)
			if got := told(t, fast); got != word {
				t.Fatalf("the fast one got %q for %s", got, word)
			}
		}
		if n := h.Stats().LogBytes; n > 10*500 {
			t.Errorf("the log of three keys has %d bytes", n)
		}
		expect(t, "the slow one", slow, "k0=2997 k1=2998 k2=2999")
	})
}

// Thousands who come new to a table, while it changes, cost a few reads.
func TestTableIsSharedByAll(t *testing.T) {
	inTables(t, hub.Options{PageEvents: 10}, func(t *testing.T, b *troubled, h *hub.Hub) {
		for i := range 100 {
			set(t, b, "t.a", fmt.Sprintf("k%d=0", i))
		}
		time.Sleep(time.Minute)
		for i := range 1000 {
			set(t, b, "t.a", fmt.Sprintf("k%d=1", i%100))
			s := subscribe(t, h, &bell{}, hub.Start{}, "t.a")
			if n := len(strings.Fields(told(t, s))); n != 100 && i > 0 {
				t.Fatalf("number %d got %d of 100", i, n)
			}
			s.Close()
			time.Sleep(100 * time.Millisecond)
		}
		if n := b.reads.Load(); n > 4 {
			t.Errorf("%d history reads", n)
		}
	})
}

// Beside a log, a stream that starts now begins with the table, and with
// nothing of the log; so does its return from amid that.
func TestTableBesideLog(t *testing.T) {
	inTables(t, hub.Options{}, func(t *testing.T, b *troubled, h *hub.Hub) {
		set(t, b, "t.a", "x=1", "y=1")
		send(t, b, "log", "before")
		set(t, b, "t.a", "z=1")
		send(t, b, "log", "before too")
		time.Sleep(time.Second)
		s := subscribe(t, h, &bell{}, hub.Start{}, "t.a", "log")
		send(t, b, "log", "1")
		set(t, b, "t.a", "x=2")
		for state := hub.Behind; state == hub.Behind; synctest.Wait() {
			_, state = s.Take(nil, 1)
		}
		id := s.Cursor()
		s.Close()
		back := subscribe(t, h, &bell{}, at(id), "t.a", "log")
		defer back.Close()
		expect(t, "back amid the table", back, "z=1 1 x=2")
		s = subscribe(t, h, &bell{}, hub.Start{}, "t.a", "log")
		defer s.Close()
		expect(t, "a new one", s, "y=1 z=1 x=2")
	})
}

// A table that nobody writes to is gone, here as in the store.
func TestTableExpires(t *testing.T) {
	inTables(t, hub.Options{}, func(t *testing.T, b *troubled, h *hub.Hub) {
		stays := subscribe(t, h, &bell{}, hub.Start{}, "t.a")
		defer stays.Close()
		set(t, b, "t.a", "x=1")
		expect(t, "live", stays, "x=1")
		time.Sleep(25 * time.Hour)
		s := subscribe(t, h, &bell{}, hub.Start{}, "t.a")
		defer s.Close()
		expect(t, "a new one", s, "")
		set(t, b, "t.a", "y=1")
		expect(t, "live", stays, "y=1")
		expect(t, "the new one", s, "y=1")
	})
}

// The end of a table follows its keys, and the stream ends with it.
func TestTableEnds(t *testing.T) {
	inTables(t, hub.Options{}, func(t *testing.T, b *troubled, h *hub.Hub) {
		set(t, b, "t.a", "x=1")
		if _, err := b.Publish(context.Background(), []event.Message{{Topic: "t.a", EndOnly: true, End: event.Completed}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s := subscribe(t, h, &bell{}, hub.Start{}, "t.a")
		defer s.Close()
		expect(t, "a new one", s, `x=1 {"topic":"t.a","status":"completed"}`)
		if !ends(s) {
			t.Error("it did not end")
		}
	})
}
