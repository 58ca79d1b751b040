package hub_test

import (
	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

func (w *world) resume(t *rapid.T) {
	if c := w.pick(t, false); c != nil {
		w.comeBack(t, c)
	}
}

// comeBack comes with the id that the client saw last, to either node.
func (w *world) comeBack(t *rapid.T, c *client) {
	if rapid.Bool().Draw(t, "other topics") {
		c.topics = drawTopics(t)
	}
	cursor := c.parse(t, c.id)
	_, known := w.ended[cursor.Epoch]
	known = known || cursor.Epoch == w.epoch
	at := w.draw(t)
	before := w.store.watermark(t, at.node)
	if w.down {
		// One that the node cannot place waits, and nobody knows in which
		// epoch it will be judged.
		if known && !event.Latest(cursor.Position, cursor.Opened).After(before) {
			c.connect(t, at, hub.Start{Cursor: c.id})
			c.goOn(cursor)
		}
		return
	}
	clock := w.store.clock(t)
	c.connect(t, at, hub.Start{Cursor: c.id})
	switch {
	case cursor.Epoch == clock.Epoch && cursor.Position.After(clock.Position), cursor.Epoch.Number == 0:
		c.lose(event.BadCursor, before)
	case known:
		c.goOn(cursor)
	default:
		c.lose(event.StoreLost, w.began)
	}
}

// place returns up to where a cursor counts. A stream that has handed out nothing
// yet is still at the one that it came with. It may lie beyond the end of its
// epoch: it was made up, or the store has lost what stood there. Either way who
// comes back with it goes on from that end.
func (w *world) place(cursor event.Cursor) event.Position {
	if end, ok := w.ended[cursor.Epoch]; ok {
		return event.Earliest(cursor.Position, end)
	}
	return cursor.Position
}

// stray comes with a cursor that means nothing here.
func (w *world) stray(t *rapid.T) {
	c := w.pick(t, false)
	if c == nil {
		return
	}
	clock := w.store.clock(t)
	future := event.Cursor{Epoch: clock.Epoch, Position: event.Position{MS: clock.Position.MS + 3_600_000}}
	replay := event.Cursor{Epoch: clock.Epoch, Opened: future.Position, Last: 2}
	foreign := future
	foreign.Epoch.Store++
	text := rapid.SampledFrom([]string{"garbage", c.id[:len(c.id)-1], future.String(), foreign.String(), replay.String()}).Draw(t, "cursor")
	at := w.draw(t)
	before := w.store.watermark(t, at.node)
	c.connect(t, at, hub.Start{Cursor: text})
	if text == replay.String() {
		c.begin(replay) // the hub takes it for opened now
	} else {
		c.lose(event.BadCursor, before)
	}
}
