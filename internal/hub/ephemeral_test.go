package hub_test

import (
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// rule returns the rule of the topics that the selector matches.
func rule(t rapid.TB, selector string, kind event.Kind) event.Rule {
	t.Helper()
	s, err := event.ParseSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return event.Rule{Selector: s, Kind: kind}
}

// Of an ephemeral topic who listens gets what comes. Nothing is read for it and
// nothing is said to be missing, whatever happened meanwhile; a log beside it
// keeps its promises.
func TestEphemeral(t *testing.T) {
	inScript(t, hub.Options{LogFrames: 2, Rules: event.Rules{rule(t, "e.*", event.KindEphemeral)}}, func(t *testing.T, b *scripted, h *hub.Hub) {
		first := b.pass("e.a", "before")[0]
		live := subscribe(t, h, &bell{}, hub.Start{}, "e.a")
		defer live.Close()
		b.pass("e.a", "1")
		expect(t, "live", live, "1")
		for name, start := range map[string]hub.Start{"from a cursor": from(first), "all": {All: true}, "last": {Last: 3}, "garbage": {Cursor: "garbage"}} {
			s := subscribe(t, h, &bell{}, start, "e.a", "e.b")
			want := ""
			if name == "from a cursor" {
				want = "1" // which the log still has
			}
			expect(t, name, s, want)
			s.Close()
		}
		b.pass("e.a", "2", "3", "4")
		expect(t, "one who was too slow", live, "3 4")
		b.pass("e.a", "before the break")
		b.mend()
		expect(t, "one whose feed broke", live, "before the break")
		b.turn(event.Position{})
		b.mend()
		b.pass("e.a", "5")
		expect(t, "one whose epoch is lost", live, "5")
		if b.reads > 0 {
			t.Errorf("%d reads of the history", b.reads)
		}
		log := b.publish("log", "x", "y")[0]
		both := subscribe(t, h, &bell{}, from(log), "e.a", "log")
		defer both.Close()
		b.pass("e.a", "6")
		expect(t, "with a log", both, "y 6")
	})
}

// What an event says of its topic counts, whatever the node's rules say.
func TestKindIsThatOfEvents(t *testing.T) {
	inScript(t, hub.Options{LogFrames: 2}, func(t *testing.T, b *scripted, h *hub.Hub) {
		s := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer s.Close()
		b.publish("a", "1")
		expect(t, "as a log", s, "1")
		b.pass("a", "2", "3", "4")
		expect(t, "too slow, but ephemeral by now", s, "3 4")
		b.publish("a", "5", "6", "7")
		expect(t, "a log again", s, "5 6 7")
		if b.reads != 1 {
			t.Errorf("%d reads of the history", b.reads)
		}
	})
}

// A topic that was ephemeral may have become a log while the feed was broken.
func TestKindChangesInABreak(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		s := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer s.Close()
		b.pass("a", "1")
		expect(t, "as ephemeral", s, "1")
		b.put("a", "2")
		b.mend()
		b.publish("a", "3")
		expect(t, "as a log", s, "2 3")
	})
}
