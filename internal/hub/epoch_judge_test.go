package hub_test

import (
	"testing"
	"testing/synctest"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// The store's clock was read for a cursor that this node cannot place, and the
// epoch turns before the stream takes: what was read is of no use any more.
func TestEpochTurnsAfterJudging(t *testing.T) {
	for name, c := range map[string]struct {
		ahead uint32 // by how many epochs the cursor is ahead of the node
		want  string
	}{
		"into the cursor's":     {1, "4 5"},
		"into an unknown one's": {2, "a:store_lost 3 4 5"},
	} {
		t.Run(name, func(t *testing.T) {
			inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
				end := b.publish("a", "1", "2")[1].Position
				cursor := event.Cursor{Epoch: b.clock.Epoch, Position: event.Position{MS: end.MS + 2}}
				cursor.Epoch.Number += c.ahead
				s := subscribe(t, h, &bell{}, hub.Start{Cursor: cursor.String()}, "a")
				defer s.Close()
				synctest.Wait() // the clock is read
				b.turn(end)
				b.put("a", "3")
				b.mend()
				b.publish("a", "4", "5")
				expect(t, "the stream", s, c.want)
			})
		})
	}
}

// The same of a cursor that is beyond all that its own epoch had when the clock
// was read: that was said in the epoch, and stays true when it is over. What the
// epoch had behind that place is not passed over without a word.
func TestEpochTurnsAfterBadCursor(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		last := b.publish("a", "1")[0]
		last.Position.MS += 5
		s := subscribe(t, h, &bell{}, from(last), "a")
		defer s.Close()
		synctest.Wait() // the clock is read
		end := b.publish("a", "2")[0].Position
		b.turn(end)
		b.put("a", "3")
		b.mend()
		expect(t, "the stream", s, "a:bad_cursor 2 3")
	})
}
