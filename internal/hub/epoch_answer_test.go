package hub_test

import (
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// hold has what is asked for from now on be read when let is called.
func (b *scripted) hold() (let func()) {
	held := make(chan struct{})
	b.mu.Lock()
	b.held = held
	b.mu.Unlock()
	return func() {
		b.mu.Lock()
		b.held = nil
		b.mu.Unlock()
		close(held)
		synctest.Wait()
	}
}

// back turns the epoch, with a clock that is far behind: the new epoch has yet
// to come to where the log began.
func (b *scripted) back(end event.Position) {
	b.turn(end)
	b.mu.Lock()
	b.clock.Position = end
	b.clock.Began = b.tick()
	b.mu.Unlock()
	b.mend()
}

// What is asked for in one epoch, and read in the next one, is complete up to a
// place that this one has yet to come to. It must not pass for what stands there.
func TestAnswersOfAnotherEpoch(t *testing.T) {
	inScript(t, hub.Options{LogFrames: 1}, func(t *testing.T, b *scripted, h *hub.Hub) {
		events := b.publish("a", "1", "2", "lost", "x", "x", "x", "x")
		let := b.hold()
		s := subscribe(t, h, &bell{}, hub.Start{All: true}, "a")
		defer s.Close()
		expect(t, "before it is read", s, "")
		b.back(events[1].Position)
		let()
		b.publish("a", "3", "4")
		time.Sleep(time.Second)
		expect(t, "the stream", s, "1 2 3 4")
	})
}

// The same of a tail, which others would share who open at that very place:
// whether it is being read when the epoch turns, or only wanted, because the
// one reader is busy.
func TestTailsWantedInAnotherEpoch(t *testing.T) {
	for name, readers := range map[string]int{"being read": 2, "wanted": 1} {
		t.Run(name, func(t *testing.T) {
			inScript(t, hub.Options{LogFrames: 1, PageLife: time.Hour, Readers: readers}, func(t *testing.T, b *scripted, h *hub.Hub) {
				events := b.publish("a", "1", "2", "lost", "x")
				let := b.hold()
				busy := subscribe(t, h, &bell{}, hub.Start{All: true}, "b")
				defer busy.Close()
				expect(t, "what the reader is busy with", busy, "")
				first := subscribe(t, h, &bell{}, hub.Start{Last: 2}, "a")
				defer first.Close()
				expect(t, "before it is read", first, "")
				b.back(events[1].Position)
				let()
				time.Sleep(time.Second)
				if at := b.publish("a", "3")[0].Position; at != events[3].Position {
					t.Fatalf("it stands at %v", at)
				}
				second := subscribe(t, h, &bell{}, hub.Start{Last: 2}, "a")
				defer second.Close()
				expect(t, "one that opened before", first, "1 2 3")
				expect(t, "one that opens", second, "2 3")
			})
		})
	}
}
