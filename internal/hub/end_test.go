package hub_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// ends takes all there is, and reports whether the stream came to its end.
func ends(s *hub.Subscriber) bool {
	texts(s)
	_, state := s.Take(nil, 1)
	return state == hub.Ended && s.Complete()
}

func over(h *hub.Hub, at hub.Start, topics ...event.Topic) bool {
	return h.Over(hub.Request{Topics: topics, From: at})
}

func TestEndReadsTheSameInBothForms(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		for _, form := range []hub.Form{hub.Plain, hub.Envelope} {
			s, err := h.Subscribe(hub.Request{Topics: []event.Topic{"a"}, Form: form}, &bell{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			end := b.finish("a", event.Failed)
			want := "id: " + end.Cursor().String() + "\nevent: hub.end\ndata: {\"topic\":\"a\",\"status\":\"failed\"}\n\n"
			if got := takeOne(s); got != want {
				t.Errorf("form %d: got %q, want %q", form, got, want)
			}
		}
	})
}

// A stream is over when the last of its topics has ended and it has handed out
// everything, and not before.
func TestStreamEndsWithItsTopics(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		var w bell
		s := subscribe(t, h, &w, hub.Start{}, "a", "b")
		defer s.Close()
		b.publish("a", "1")
		first := b.finish("a", event.Completed)
		b.publish("b", "2")
		if ends(s) {
			t.Fatal("it ended before b did")
		}
		rings := w.rings.Load()
		last := b.finish("b", event.Cancelled)
		if w.rings.Load() == rings {
			t.Error("nobody was woken for the end")
		}
		if over(h, from(first), "a", "b") || over(h, hub.Start{}, "a", "b") {
			t.Error("what has something to come is over")
		}
		if _, state := s.Take(nil, 1); state != hub.More || s.Complete() {
			t.Errorf("state %d with the end", state)
		}
		if !ends(s) {
			t.Error("it did not end")
		}
		if !over(h, from(last), "a", "b") {
			t.Error("it is not over for who has all ends")
		}
		if over(h, from(last), "a", "c") || h.Over(hub.Request{From: from(last)}) {
			t.Error("a stream of other topics is over")
		}
		s.Close()
		if _, state := s.Take(nil, 1); state != hub.Ended {
			t.Errorf("state %d after Close", state)
		}
	})
}

// A node that has not heard of an end learns of it from the store: by what it
// reads for whoever comes back, or by asking, where it need not read.
func TestEndIsLearned(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		begin := b.publish("a", "1")[0]
		end := b.finish("a", event.Completed)
		other := b.publish("b", "x")[0]
		for name, start := range map[string]hub.Start{"from before": from(begin), "from the end": from(end), "from later": from(other), "all": {All: true}} {
			if over(h, start, "a") {
				t.Errorf("%s: known without having asked", name)
			}
			s := subscribe(t, h, &bell{}, start, "a")
			told(t, s)
			synctest.Wait()
			if !ends(s) {
				t.Errorf("%s: it did not end", name)
			}
			s.Close()
			if !over(h, from(end), "a") {
				t.Errorf("%s: not known when the stream had ended", name)
			}
			time.Sleep(2 * time.Minute) // the log is dropped
		}
		now := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer now.Close()
		if ends(now) {
			t.Error("a stream that starts now is told of no end, and ended")
		}
	})
}

// What is known of an end counts no more once the topic lives again, or the
// store may have lost it.
func TestEndIsTakenBack(t *testing.T) {
	for name, back := range map[string]func(*scripted, event.Event){
		"next life": func(b *scripted, _ event.Event) { b.publish("a", "next") },
		"loss":      func(b *scripted, _ event.Event) { b.lose("a") },
		"new epoch": func(b *scripted, end event.Event) { b.turn(end.Prev); b.mend("a") },
		"lost":      func(b *scripted, _ event.Event) { b.turn(event.Position{}); b.mend("a") },
	} {
		t.Run(name, func(t *testing.T) {
			inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
				s := subscribe(t, h, &bell{}, hub.Start{}, "a")
				defer s.Close()
				b.publish("a", "1")
				end := b.finish("a", event.Completed)
				told(t, s)
				back(b, end)
				if over(h, from(end), "a") {
					t.Error("it is over")
				}
				synctest.Wait()
				if over(h, from(end), "a") {
					t.Error("it is over when the store was asked")
				}
				again := subscribe(t, h, &bell{}, from(end), "a")
				defer again.Close()
				if ends(again) != (name == "loss") { // that of something before the end
					t.Error("it ended, or did not")
				}
			})
		})
	}
	t.Run("it stands", func(t *testing.T) {
		inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
			s := subscribe(t, h, &bell{}, hub.Start{}, "a")
			defer s.Close()
			end := b.finish("a", event.Completed)
			b.turn(end.Position)
			b.mend("a")
			if !over(h, from(end), "a") {
				t.Error("the end is of before the loss, and not known any more")
			}
			if !strings.Contains(texts(s), "hub.end") || !ends(s) {
				t.Error("the stream did not end")
			}
		})
	})
}

func TestWatchIsToldOfEnds(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		told := make(chan event.Status, 9)
		got := func() event.Status {
			synctest.Wait()
			select {
			case s := <-told:
				return s
			default:
				return ""
			}
		}
		tell := func(s event.Status) { told <- s }
		stop := h.Watch("a", tell)
		defer h.Watch("missed", tell)()
		b.publish("a", "1")
		b.finish("b", event.Failed)
		if s := got(); s != "" {
			t.Errorf("told %q before the end", s)
		}
		b.finish("a", event.Cancelled)
		if s := got(); s != event.Cancelled {
			t.Errorf("told %q", s)
		}
		stop()
		stop()
		b.finish("a", event.Failed)
		if s := got(); s != "" {
			t.Errorf("told %q after it had stopped", s)
		}
		b.unheard("missed", event.Failed)
		b.mend("a")
		if s := got(); s != event.Failed {
			t.Errorf("told %q of what ended while the feed was broken", s)
		}
	})
}

// An answer that nobody waits for any more may come while its stream looks
// whether it is over: neither reads what the other one writes. That shows under
// the race detector only.
func TestAnswerComesAfterItsStreamWentOn(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		first := b.publish("a", "1")[0]
		b.publish("b", "later")
		b.mu.Lock()
		held := make(chan struct{})
		b.held = held
		b.mu.Unlock()
		// By its own hand: closed by this one, it would order what must not race.
		time.AfterFunc(time.Minute, func() { close(held) })
		s := subscribe(t, h, &bell{}, from(first), "a")
		defer s.Close()
		if _, state := s.Take(nil, 1); state != hub.Behind {
			t.Fatalf("it is %v, and should wait for the history", state)
		}
		synctest.Wait()
		b.publish("a", "2") // right behind the first one: the log has all
		if got := texts(s); !strings.HasSuffix(got, "\ndata: 2\n\n") {
			t.Fatalf("got %q", got)
		}
		time.Sleep(2 * time.Minute)
	})
}
