package hub_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// A loss is told at its place, live and from the history, to all who pass it;
// not to a replay that opened behind it.
func TestLossesAreTold(t *testing.T) {
	inScript(t, hub.Options{LogFrames: 1}, func(t *testing.T, b *scripted, h *hub.Hub) {
		w := &bell{}
		s := subscribe(t, h, w, hub.Start{}, "a")
		defer s.Close()
		replay := subscribe(t, h, &bell{}, hub.Start{All: true}, "a")
		defer replay.Close()
		first := b.publish("a", "1")[0]
		expect(t, "before", s, "1")
		rings := w.rings.Load()
		at := b.lose("a")
		if w.rings.Load() == rings {
			t.Error("the loss wakes nobody")
		}
		blocks, _ := s.Take(nil, 1)
		if id := (event.Cursor{Epoch: b.clock.Epoch, Position: at}).String(); len(blocks) != 1 || !strings.Contains(string(blocks[0]), "id: "+id+"\n") {
			t.Errorf("the gap is %q", blocks)
		}
		b.publish("a", "2", "3")
		expect(t, "live", s, "2 3")
		expect(t, "a replay that opened before", replay, "1 a:store_lost 2 3")
		again := subscribe(t, h, &bell{}, from(first), "a")
		defer again.Close()
		expect(t, "a return", again, "a:store_lost 2 3")
		later := subscribe(t, h, &bell{}, hub.Start{All: true}, "a")
		defer later.Close()
		expect(t, "a replay that opens behind it", later, "1 2 3")
	})
}

// Holes in a log are none of the last events.
func TestLastOverALoss(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		keep := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer keep.Close()
		b.publish("a", "1", "2")
		b.lose("a")
		b.publish("a", "3")
		s := subscribe(t, h, &bell{}, hub.Start{Last: 2}, "a")
		defer s.Close()
		expect(t, "the last two", s, "2 3")
		if b.reads > 0 {
			t.Errorf("%d reads of the history", b.reads)
		}
	})
}

// A page that was read in one epoch is of no use in the next one, neither to
// whoever shares it nor to the one who is in the middle of it.
func TestPagesOfAnEpoch(t *testing.T) {
	inScript(t, hub.Options{LogFrames: 1, PageLife: time.Hour}, func(t *testing.T, b *scripted, h *hub.Hub) {
		events := b.publish("a", "1", "2", "lost", "x")
		middle := subscribe(t, h, &bell{}, hub.Start{All: true}, "a")
		defer middle.Close()
		if text := takeOne(middle); !strings.Contains(text, "data: 1") {
			t.Fatal(text)
		}
		b.turn(events[1].Position)
		b.mend()
		b.publish("a", "3")
		other := subscribe(t, h, &bell{}, from(events[0]), "a")
		defer other.Close()
		last := subscribe(t, h, &bell{}, hub.Start{Cursor: event.Cursor{Epoch: events[0].Epoch, Opened: events[3].Position, Last: 2}.String()}, "a")
		defer last.Close()
		expect(t, "in the middle of a page", middle, "2 3")
		expect(t, "another one", other, "2 3")
		expect(t, "the last two", last, "1 2 3")
	})
}

// The same for a tail that another stream has read.
func TestTailsOfAnEpoch(t *testing.T) {
	inScript(t, hub.Options{LogFrames: 1, PageLife: time.Hour}, func(t *testing.T, b *scripted, h *hub.Hub) {
		events := b.publish("a", "1", "2", "lost", "x")
		for _, want := range []string{"lost x", "1 2 3"} {
			s := subscribe(t, h, &bell{}, hub.Start{Cursor: event.Cursor{Epoch: events[0].Epoch, Opened: events[3].Position, Last: 2}.String()}, "a")
			expect(t, "the last two", s, want)
			s.Close()
			if want == "lost x" {
				b.turn(events[1].Position)
				b.mend()
				b.publish("a", "3")
			}
		}
	})
}

// A page that is being read when the epoch changes is read again.
func TestEpochTurnsWhileReading(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		events := b.publish("a", "1", "2", "lost")
		gate := make(chan struct{})
		b.gate = gate
		s := subscribe(t, h, &bell{}, hub.Start{All: true}, "a")
		defer s.Close()
		s.Take(nil, 1)
		synctest.Wait()
		b.turn(events[1].Position)
		b.mend("a")
		b.mu.Lock()
		b.gate = nil
		b.mu.Unlock()
		close(gate)
		synctest.Wait()
		time.Sleep(time.Second)
		b.publish("a", "3")
		expect(t, "the stream", s, "1 2 3")
		if b.reads != 2 {
			t.Errorf("%d reads of the history", b.reads)
		}
	})
}

// A replay that opened in an epoch that has ended asked for nothing behind
// that end: all of that comes, whatever its cursor says of where it opened.
func TestReplayOpenedInAnEpochBefore(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		events := b.publish("a", "1", "2", "3")
		b.turn(events[2].Position)
		b.mend("a")
		b.publish("a", "4", "5", "6")
		future := event.Position{MS: b.clock.Position.MS + 1000}
		s := subscribe(t, h, &bell{}, hub.Start{Cursor: event.Cursor{Epoch: events[0].Epoch, Opened: future, Last: 2}.String()}, "a")
		defer s.Close()
		expect(t, "the last two, and what came since", s, "2 3 4 5 6")
	})
}

// A cursor beyond the end of its epoch, however far, goes on from that end.
func TestCursorBeyondTheEnd(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		old := b.publish("a", "1")[0].Cursor()
		b.turn(old.Position)
		b.mend("a")
		old.Position.MS += 1_000_000
		s := subscribe(t, h, &bell{}, hub.Start{Cursor: old.String()}, "a")
		defer s.Close()
		b.publish("a", "2")
		expect(t, "the stream", s, "2")
	})
}

// A log that began behind the end of an epoch, with nothing of its topic
// there, reaches back to that end: nobody has to read for it.
func TestLogReachesBackToTheEnd(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		end := b.publish("b", "x")[0].Position
		b.publish("b", "lost")
		s := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer s.Close()
		b.turn(end)
		b.mend("a")
		expect(t, "before more comes", s, "")
		b.publish("a", "1")
		expect(t, "the stream", s, "1")
		if b.reads > 0 {
			t.Errorf("%d reads of the history", b.reads)
		}
	})
}

// While the store is an epoch ahead of the feed, a reader waits for the feed.
func TestStoreAheadByAnEpoch(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		b.publish("a", "1")
		ahead := b.put("a", "2")[0]
		b.turn(b.clock.Position)
		replay := subscribe(t, h, &bell{}, hub.Start{All: true}, "a")
		defer replay.Close()
		known := subscribe(t, h, &bell{}, from(ahead), "a")
		defer known.Close()
		expect(t, "a replay", replay, "")
		expect(t, "a cursor ahead of the feed", known, "")
		if b.reads > 1 {
			t.Errorf("%d reads of the history at once", b.reads)
		}
		b.mend()
		time.Sleep(2 * time.Second)
		b.publish("a", "3")
		expect(t, "a replay", replay, "1 2 3")
		expect(t, "a cursor ahead of the feed", known, "3")
	})
}

// A log that begins with a loss reaches back to what stood before it: nobody is
// told of a gap between the two.
func TestLogBeginsWithALoss(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		keep := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer keep.Close()
		events := b.publish("a", "1", "2")
		b.publish("b", "x")
		b.mend()
		b.lose("a")
		b.publish("a", "3", "4")
		b.mu.Lock()
		b.kept["a"] = append(b.kept["a"][:2:2], b.kept["a"][3:]...) // the Prev of 4 says that there was 3
		b.mu.Unlock()
		again, before := subscribe(t, h, &bell{}, from(events[1]), "a"), subscribe(t, h, &bell{}, from(events[0]), "a")
		defer again.Close()
		defer before.Close()
		expect(t, "a return", again, "a:store_lost 3 4")
		expect(t, "a return from before", before, "2 a:store_lost 3 4")
	})
}

// A store loses an epoch as a whole, and streams that had come to it, but not
// beyond its beginning: they go on with what there is from before.
func TestEpochIsLostAndWhatWasBeforeIsNot(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		first := b.clock.Epoch
		slow, ahead := subscribe(t, h, &bell{}, hub.Start{}, "a"), subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer slow.Close()
		defer ahead.Close()
		end := b.publish("a", "1", "2")[1].Position
		b.turn(end)
		b.mend("a")
		if text := takeOne(slow); !strings.Contains(text, "data: 1") {
			t.Fatal(text)
		}
		b.publish("a", "3")
		expect(t, "one that was quick", ahead, "1 2 3")
		if c, _ := event.ParseCursor(slow.Cursor()); c.Epoch != first {
			t.Errorf("it stands before the second epoch, and its cursor is one of %v", c.Epoch)
		}
		id := slow.Cursor()
		b.turn(end)
		b.clock.Ended = map[event.Epoch]event.Position{first: end}
		b.mend()
		back := subscribe(t, h, &bell{}, hub.Start{Cursor: id}, "a")
		defer back.Close()
		b.publish("a", "4")
		expect(t, "one that was slow", slow, "2 4")
		expect(t, "its return", back, "2 4")
		expect(t, "one that was quick", ahead, "a:store_lost 4")
	})
}

// A store goes back to an epoch from before another one that streams had come
// to: what they know of places in that one counts for nothing.
func TestStoreGoesBack(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		first := b.clock
		events := b.publish("a", "1", "2", "3")
		b.turn(events[0].Position)
		b.gate = make(chan struct{}) // who comes back waits
		b.mend()
		had := subscribe(t, h, &bell{}, from(events[2]), "a")
		defer had.Close()
		expect(t, "one that had all", had, "")
		if id := had.Cursor(); id != events[2].Cursor().String() {
			t.Errorf("one that had all, and was told nothing, is at %s", id)
		}
		b.publish("a", "x", "y")
		close(b.gate)
		b.gate = nil
		ahead, waiting := subscribe(t, h, &bell{}, hub.Start{Last: 1}, "a"), subscribe(t, h, &bell{}, hub.Start{Last: 1}, "a")
		defer ahead.Close()
		defer waiting.Close()
		expect(t, "one that was quick", ahead, "y")

		first.Position = b.clock.Position
		b.clock, b.kept["a"], b.last["a"] = first, events, events[2].Position
		b.put("a", "4")
		b.mend()
		expect(t, "one that was quick", ahead, "a:store_lost 1 2 3 4")
		expect(t, "one that had nothing yet", waiting, "1 2 3 4")
		expect(t, "one that had all", had, "4")
	})
}

// A replay goes on in an epoch that is lost as a whole then: its client had got
// no further than the epoch in which it opened.
func TestReplayThroughALostEpoch(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		first := b.clock.Epoch
		end := b.publish("a", "1", "2", "3")[2].Position
		s := subscribe(t, h, &bell{}, hub.Start{All: true}, "a")
		defer s.Close()
		b.turn(end)
		b.mend("a")
		if text := takeOne(s); !strings.Contains(text, "data: 1") || !strings.Contains(text, s.Cursor()) {
			t.Fatal(text)
		}
		id := s.Cursor()
		b.turn(end)
		b.clock.Ended = map[event.Epoch]event.Position{first: end}
		b.mend()
		back := subscribe(t, h, &bell{}, hub.Start{Cursor: id}, "a")
		defer back.Close()
		expect(t, "the replay", s, "2 3")
		expect(t, "its return", back, "2 3")
	})
}
