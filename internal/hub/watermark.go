package hub

import (
	"time"

	"tickertape/internal/event"
)

// watermark is how far the logs are complete, as the store's clock stood then,
// and when that became known.
type watermark struct {
	clock  event.Clock
	epochs *event.Clock // as it was at the first watermark of this epoch: only the epochs count
	at     time.Time
}

// next returns the watermark that follows m, which is nil at first.
func (m *watermark) next(clock event.Clock) *watermark {
	next := &watermark{clock: clock, at: time.Now()}
	if m != nil && m.clock.Epoch == clock.Epoch {
		next.epochs = m.epochs
	} else {
		next.epochs = &next.clock
	}
	return next
}

// now estimates the store's time: a node's own clock may differ.
func (m *watermark) now() time.Time {
	return m.clock.Position.Time().Add(time.Since(m.at))
}
