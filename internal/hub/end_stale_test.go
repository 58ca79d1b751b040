package hub_test

import (
	"testing"
	"testing/synctest"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// A hole behind the end that only the history tells of is something to come.
func TestOverKnowsOfHoles(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		s := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer s.Close()
		end := b.finish("a", event.Completed)
		takeOne(s)
		p := b.tick()
		b.gaps["a"] = []event.Gap{{Position: p, Since: p, Reason: event.StoreLost}}
		b.mend()
		expect(t, "the stream", s, "a:store_lost")
		if over(h, from(end), "a") {
			t.Error("it is over for who has not heard of the loss")
		}
		end.Position = p
		if !over(h, from(end), "a") {
			t.Error("it is not over for who has")
		}
	})
}

// What was read of an end counts no more if the topic lives again by the time
// that the answer comes.
func TestEndIsReadTooLate(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		begin := b.publish("a", "1")[0]
		b.finish("a", event.Completed)
		b.gate = make(chan struct{})
		s := subscribe(t, h, &bell{}, from(begin), "a")
		defer s.Close()
		s.Take(nil, 1)
		synctest.Wait() // it is read
		b.publish("a", "next")
		close(b.gate)
		if ends(s) {
			t.Error("the stream ended")
		}
	})
}

// The same if the next life began in a break.
func TestEndIsReadBeforeABreak(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		begin := b.publish("a", "1")[0]
		end := b.finish("a", event.Completed)
		b.gate = make(chan struct{})
		s := subscribe(t, h, &bell{}, from(begin), "a")
		s.Take(nil, 1)
		synctest.Wait() // it is read
		s.Close()
		b.put("a", "next")
		b.mend()
		close(b.gate)
		synctest.Wait()
		if over(h, from(end), "a") {
			t.Error("it is over")
		}
	})
}
