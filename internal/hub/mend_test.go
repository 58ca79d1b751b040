package hub_test

import (
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// What a broken feed has not brought comes from the history, once.
func TestBreakIsReadFromTheHistory(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		up, late := subscribe(t, h, &bell{}, hub.Start{}, "a"), subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer up.Close()
		defer late.Close()
		b.publish("a", "1", "2")
		expect(t, "before the break", up, "1 2")
		b.put("a", "3", "4")
		b.mend()
		b.publish("a", "5")
		expect(t, "behind the break", up, "3 4 5")
		expect(t, "one who took nothing before", late, "1 2 3 4 5")
	})
}

// A topic that had nothing in the break keeps its log, and nothing is read.
func TestIntactTopicIsNotRead(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		s := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer s.Close()
		first := b.publish("a", "1", "2")[0]
		b.put("b", "x")
		b.mend("a")
		b.publish("a", "3")
		expect(t, "the stream", s, "1 2 3")
		again := subscribe(t, h, &bell{}, from(first), "a")
		defer again.Close()
		expect(t, "a return", again, "2 3")
		if b.reads > 0 {
			t.Errorf("%d reads of the history", b.reads)
		}
	})
}

// Who is idle when the feed mends is woken: there may be more for it.
func TestMendWakes(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		w := &bell{}
		s := subscribe(t, h, w, hub.Start{}, "a")
		defer s.Close()
		expect(t, "at first", s, "")
		b.put("a", "1")
		b.mend()
		if w.rings.Load() == 0 {
			t.Error("it was not woken")
		}
		expect(t, "then", s, "1")
	})
}

// A stream that opens while the feed is broken starts where the node is, and
// the bus did not ask about its topic.
func TestLogThatBeginsInABreak(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		b.put("a", "1")
		s := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer s.Close()
		b.put("a", "2")
		b.mend("b")
		b.publish("a", "3")
		expect(t, "the stream", s, "1 2 3")
	})
}

// An epoch that ended without a loss: nobody notices.
func TestEpochEndsCleanly(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		s := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer s.Close()
		first := b.publish("a", "1", "2")[0]
		if text := takeOne(s); !strings.Contains(text, "data: 1") {
			t.Fatal(text)
		}
		b.turn(b.clock.Position)
		b.mend("a")
		b.publish("a", "3")
		expect(t, "the stream", s, "2 3")
		again := subscribe(t, h, &bell{}, from(first), "a")
		defer again.Close()
		expect(t, "a return", again, "2 3")
		if c, _ := event.ParseCursor(s.Cursor()); c.Epoch != b.clock.Epoch {
			t.Errorf("the stream stands in %+v", c)
		}
		if b.reads > 0 {
			t.Errorf("%d reads of the history", b.reads)
		}
	})
}

// What the store lost at an epoch's end is not handed out any more, also where
// a log still has it; who has it already goes on from the end.
func TestLostTail(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		slow, ahead := subscribe(t, h, &bell{}, hub.Start{}, "a"), subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer slow.Close()
		defer ahead.Close()
		events := b.publish("a", "1", "2")
		expect(t, "one that was quick", ahead, "1 2")
		b.turn(events[0].Position)
		b.mend("a") // the bus asked about what is behind the end
		back, gone := subscribe(t, h, &bell{}, from(events[0]), "a"), subscribe(t, h, &bell{}, from(events[1]), "a")
		defer back.Close()
		defer gone.Close()
		expect(t, "one that was quick, before more comes", ahead, "")
		b.lose("a")
		b.publish("a", "3")
		expect(t, "one that took nothing before", slow, "1 a:store_lost 3")
		expect(t, "one that was quick", ahead, "a:store_lost 3")
		expect(t, "a return from before the end", back, "a:store_lost 3")
		expect(t, "a return from behind the end", gone, "a:store_lost 3")
	})
}

// A loss that a log tells of at its place is not told by the history too, of
// which all that is known is that the hole ends there.
func TestLossIsToldOnce(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		s := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer s.Close()
		first := b.publish("a", "1", "lost")[0]
		b.turn(first.Position)
		b.mend()
		b.lose("a")
		again := subscribe(t, h, &bell{}, from(first), "a")
		defer again.Close()
		expect(t, "a return", again, "a:store_lost")
		b.publish("a", "2")
		expect(t, "the stream", s, "1 a:store_lost 2")
		expect(t, "a return, then", again, "2")
	})
}

// Nothing that was seen in an epoch that the store does not know counts any
// more: that is said once for each topic, and then comes what there is.
func TestUnknownEpoch(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		s := subscribe(t, h, &bell{}, hub.Start{}, "a", "b")
		defer s.Close()
		old := b.publish("a", "1", "2")[0]
		if text := takeOne(s); !strings.Contains(text, "data: 1") {
			t.Fatal(text)
		}
		b.turn(event.Position{})
		b.put("a", "3")
		b.mend()
		b.publish("b", "4")
		again := subscribe(t, h, &bell{}, from(old), "b")
		defer again.Close()
		expect(t, "the stream", s, "a:store_lost b:store_lost 3 4")
		expect(t, "a return", again, "b:store_lost 4")
		b.publish("a", "5")
		expect(t, "later", s, "5")
	})
}

// A stream follows through two epochs, whether it took in between or not.
func TestTwoEpochsInARow(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		s, slow := subscribe(t, h, &bell{}, hub.Start{}, "a"), subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer s.Close()
		defer slow.Close()
		b.publish("a", "1")
		b.turn(b.clock.Position)
		b.mend("a")
		expect(t, "in the second epoch", s, "1")
		b.publish("a", "2")
		end := b.clock.Position
		b.publish("a", "lost")
		b.turn(end)
		b.mend("a")
		b.publish("a", "3")
		expect(t, "in the third epoch", s, "2 3")
		expect(t, "from the first to the third", slow, "1 2 3")
	})
}
