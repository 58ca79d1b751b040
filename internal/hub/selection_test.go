package hub_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// choose subscribes to topics and, where there is a *, selectors.
func choose(t *testing.T, h *hub.Hub, from hub.Start, names ...string) *hub.Subscriber {
	t.Helper()
	s, err := h.Subscribe(request(from, names...), &bell{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func request(from hub.Start, names ...string) hub.Request {
	r := hub.Request{From: from}
	for _, name := range names {
		if !strings.Contains(name, "*") {
			r.Topics = append(r.Topics, event.Topic(name))
			continue
		}
		match, err := event.ParseSelector(name)
		if err != nil {
			panic(err)
		}
		r.Selectors = append(r.Selectors, match)
	}
	return r
}

// A selector's stream has all that its topics get, new ones too, and a topic
// that is asked for as well has each event once.
func TestSelectorIsLive(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		streams := map[string]*hub.Subscriber{}
		for _, names := range []string{"a.*", "a.**", "**", "a.* a.x", "a.* a.x ** *.x", "*.y.*"} {
			streams[names] = choose(t, h, hub.Start{}, strings.Fields(names)...)
			defer streams[names].Close()
		}
		b.publish("a.x", "1")
		b.publish("b.x", "2")
		b.publish("a.y.z", "3")
		b.publish("a", "4")
		b.publish("a.new", "5", "6")
		for names, want := range map[string]string{"a.*": "1 5 6", "a.**": "1 3 5 6", "**": "1 2 3 4 5 6",
			"a.* a.x": "1 5 6", "a.* a.x ** *.x": "1 2 3 4 5 6", "*.y.*": "3"} {
			expect(t, names, streams[names], want)
		}
		if b.reads+b.lists > 0 {
			t.Errorf("%d reads, %d lists", b.reads, b.lists)
		}
	})
}

// Who comes back to a selector gets what its topics had meanwhile, in order,
// on a node that knows none of them, with no seam to what comes then.
func TestSelectorResumes(t *testing.T) {
	inScript(t, hub.Options{PageEvents: 2}, func(t *testing.T, b *scripted, h *hub.Hub) {
		first := b.publish("a.x", "1")[0]
		for i := range 30 {
			b.publish(event.Topic(fmt.Sprint("a.", i%7)), fmt.Sprint(i))
			b.publish(event.Topic(fmt.Sprint("b.", i)), "no")
		}
		s := choose(t, h, from(first), "a.*")
		defer s.Close()
		var words []string
		for i := range 30 {
			words = append(words, fmt.Sprint(i))
		}
		expect(t, "back", s, strings.Join(words, " "))
		b.publish("a.new", "live")
		expect(t, "live", s, "live")
		last := choose(t, h, hub.Start{Last: 2}, "a.*")
		defer last.Close()
		expect(t, "the last two of each", last, lastOf(7, 30, 2))
		all := choose(t, h, hub.Start{All: true}, "a.*", "a.1")
		defer all.Close()
		expect(t, "all", all, "1 "+strings.Join(words, " ")+" live")
		if h.Over(request(from(first), "a.*")) {
			t.Error("a selector is over")
		}
	})
}

// lastOf words what "last" brings of n numbers that go round the topics.
func lastOf(topics, n, last int) string {
	words := []string{"1"}
	for i := n - topics*last; i < n; i++ {
		words = append(words, fmt.Sprint(i))
	}
	return strings.Join(append(words, "live"), " ")
}

// A client that is cut off in the middle of an opening replay over selectors
// comes back to the rest of it.
func TestSelectorReplayGoesOn(t *testing.T) {
	inScript(t, hub.Options{PageEvents: 2}, func(t *testing.T, b *scripted, h *hub.Hub) {
		for i := range 20 {
			b.publish(event.Topic(fmt.Sprint("a.", i%4)), fmt.Sprint(i))
		}
		var got []string
		start := hub.Start{Last: 3}
		for range 12 {
			s := choose(t, h, start, "a.*", "a.1")
			one := ""
			for one == "" {
				blocks, state := s.Take(nil, 1)
				if len(blocks) > 0 {
					one = string(blocks[len(blocks)-1])
				}
				if state == hub.Behind {
					synctest.Wait()
				}
			}
			_, text, _ := strings.Cut(one, "data: ")
			got = append(got, strings.TrimSpace(text))
			start = at(s.Cursor())
			s.Close()
			b.publish("a.0", "later")
		}
		if want := "8 9 10 11 12 13 14 15 16 17 18 19"; strings.Join(got, " ") != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}

// Beyond the limits of a resume the stream says so in the selector's name, and
// goes on with what comes.
func TestSelectorResumeIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		o    hub.Options
		read int
	}{
		"topics": {hub.Options{ResumeTopics: 9}, 0},
		"events": {hub.Options{ResumeEvents: 12, PageEvents: 1}, 12},
	} {
		t.Run(name, func(t *testing.T) {
			inScript(t, c.o, func(t *testing.T, b *scripted, h *hub.Hub) {
				first := b.publish("b", "1")[0]
				for i := range 20 {
					b.publish(event.Topic(fmt.Sprint("a.", i%10)), "x")
				}
				for _, start := range []hub.Start{from(first), {All: true}} {
					s := choose(t, h, start, "a.*")
					got := told(t, s)
					before, _, _ := strings.Cut(got, "a.*:overrun")
					if strings.Count(got, ":") != 1 || len(strings.Fields(before)) != c.read {
						t.Errorf("from %+v: got %q", start, got)
					}
					b.publish("a.9", "live")
					expect(t, "then", s, "live")
					s.Close()
				}
			})
		})
	}
}

// What the store has forgotten may have been of the selector's topics; whoever
// comes new is not told.
func TestSelectorOfForgottenTopics(t *testing.T) {
	inScript(t, hub.Options{Age: time.Second}, func(t *testing.T, b *scripted, h *hub.Hub) {
		first := b.publish("b", "1")[0]
		last := b.publish("b", "2")[0]
		b.forgotten = last.Position
		b.publish("a.x", "3")
		b.clock.Position.MS += 5000
		b.publish("a.x", "4")
		back := choose(t, h, from(first), "a.*")
		defer back.Close()
		expect(t, "back", back, "a.*:expired 3 4")
		all := choose(t, h, hub.Start{All: true}, "a.*")
		defer all.Close()
		expect(t, "all", all, "3 4")
		late := choose(t, h, from(last), "a.*")
		defer late.Close()
		expect(t, "from there", late, "3 4")
	})
}

// A hole of one topic is told before events of others that stand in it, once.
func TestSelectorHoles(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		first := b.publish("a.x", "1")[0]
		b.put("a.x", "lost")
		b.publish("a.y", "2")
		b.publish("a.z", "3")
		live := choose(t, h, hub.Start{}, "a.**")
		defer live.Close()
		b.lose("a.x")
		b.publish("a.y", "4")
		b.kept["a.x"] = b.kept["a.x"][:1]
		expect(t, "live", live, "a.x:store_lost 4")
		for _, names := range []string{"a.*", "a.* a.x", "**"} {
			s := choose(t, h, from(first), strings.Fields(names)...)
			expect(t, "back to "+names, s, "a.x:store_lost 2 3 4")
			s.Close()
		}
	})
}

// A hole in the feed of one topic is not hidden by another's events.
func TestSelectorHoleInTheFeed(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		s := choose(t, h, hub.Start{}, "a.*")
		defer s.Close()
		lost := b.put("a.x", "lost")[0]
		other := b.put("a.y", "other")
		next := b.put("a.x", "next")
		b.kept["a.x"] = next
		b.gaps["a.x"] = []event.Gap{{Position: lost.Position, Since: next[0].Position, Reason: event.Trimmed}}
		b.sink.Feed(event.Stretch{Clock: b.clock, Events: []event.Event{other[0], next[0]}})
		expect(t, "live", s, "a.x:trimmed other next")
	})
}

// Behind a break of the feed, a selector's stream goes on with what the history
// has, also of topics that nobody here knows.
func TestSelectorBridgesBreaks(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		s := choose(t, h, hub.Start{}, "a.*")
		defer s.Close()
		b.publish("a.x", "1")
		b.put("a.new", "2")
		b.mend("a.x")
		b.publish("a.x", "3")
		expect(t, "over the break", s, "1 2 3")
		end := b.clock.Position
		b.put("a.x", "lost")
		b.turn(end)
		b.put("a.y", "4")
		b.mend()
		expect(t, "in the new epoch", s, "4")
	})
}

// A snapshot is of the tables among the selector's topics; of the others there
// is what comes.
func TestSelectorOfTables(t *testing.T) {
	inTables(t, hub.Options{PageEvents: 2}, func(t *testing.T, b *troubled, h *hub.Hub) {
		set(t, b, "t.a", "x=1", "y=1", "x=2")
		send(t, b, "log", "before")
		set(t, b, "t.b", "z=1", "z=2", "w=1", "w")
		set(t, b, "e.a", "gone=")
		time.Sleep(time.Minute)
		s := choose(t, h, hub.Start{}, "**")
		defer s.Close()
		expect(t, "the tables", s, "y=1 x=2 z=2 null")
		set(t, b, "t.a", "x=3", "x=4")
		set(t, b, "e.a", "passing=")
		send(t, b, "log", "live")
		set(t, b, "t.c", "v=1")
		expect(t, "then", s, "x=4 passing= live v=1")
		for name, want := range map[string]string{"t.*": "y=1 z=2 null x=4 v=1", "t.* t.a": "y=1 z=2 null x=4 v=1", "log.*": "", "e.*": ""} {
			s := choose(t, h, hub.Start{}, strings.Fields(name)...)
			expect(t, name, s, want)
			s.Close()
		}
	})
}

// Selections leave nothing behind, whatever comes and goes.
func TestSelectionsAreDropped(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		names := []string{"a.*", "a.*.c", "a.**", "**", "*", "*.b", "a.b.*"}
		for range 20 {
			rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			var subs []*hub.Subscriber
			for _, name := range names {
				subs = append(subs, choose(t, h, hub.Start{}, name))
			}
			b.publish("a.b", "x")
			for i, s := range subs {
				match, _ := event.ParseSelector(names[i])
				want := map[bool]string{true: "x", false: ""}[match.Match("a.b")]
				expect(t, names[i], s, want)
				s.Close()
			}
			time.Sleep(2 * time.Minute)
			b.publish("a.b", "y")
			if s := h.Stats(); s.LogBytes > 0 || s.Selectors > 0 {
				t.Fatalf("%+v", s)
			}
		}
	})
}

// BenchmarkSelectors feeds events of which each matches one selector of many.
func BenchmarkSelectors(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			store := newScripted()
			h := hub.New(store, hub.Options{})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- h.Run(ctx) }()
			<-store.ready
			for i := range n {
				if _, err := h.Subscribe(request(hub.Start{}, fmt.Sprintf("a.%d.*", i)), &bell{}); err != nil {
					b.Fatal(err)
				}
			}
			e := event.Event{Epoch: store.clock.Epoch, Topic: "a.0.x"}
			for b.Loop() {
				e.Prev, e.Position = e.Position, store.tick()
				h.Feed(event.Stretch{Clock: store.clock, Events: []event.Event{e}})
			}
			cancel()
			<-done
		})
	}
}
