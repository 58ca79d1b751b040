package hub_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// An end that the store tells of while the stream looks at its other topics is
// seen: the stream ends at once, or is woken for it.
func TestEndIsLearnedAmidATake(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		var others []event.Topic
		for i := range 99 {
			others = append(others, event.Topic(fmt.Sprint("b", i)))
		}
		keep := subscribe(t, h, &bell{}, hub.Start{}, others...)
		defer keep.Close()
		for _, topic := range others {
			b.finish(topic, event.Completed)
		}
		for i := range 3000 {
			topic := event.Topic(fmt.Sprint("a", i))
			end := b.finish(topic, event.Completed)
			var w bell
			s := subscribe(t, h, &w, from(end), append([]event.Topic{topic}, others...)...)
			_, state := s.Take(nil, 1)
			synctest.Wait()
			if state == hub.Idle && w.rings.Load() == 0 || !ends(s) {
				t.Fatalf("number %d sleeps over its end, in state %d", i, state)
			}
			s.Close()
		}
	})
}

// The same if doubts come up faster than the store answers.
func TestEndIsLearnedAfterDoubts(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		end := b.finish("a", event.Completed)
		var w bell
		s := subscribe(t, h, &w, from(end), "a")
		defer s.Close()
		let := b.hold()
		told(t, s)
		for range 3 {
			synctest.Wait() // it is being asked
			b.turn(b.clock.Position)
			b.mend("a")
		}
		rings := w.rings.Load()
		let()
		time.Sleep(time.Second)
		if w.rings.Load() == rings || !ends(s) {
			t.Error("it sleeps over its end")
		}
	})
}
