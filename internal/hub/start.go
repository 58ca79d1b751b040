package hub

import (
	"time"

	"tickertape/internal/event"
)

// Start is where a stream begins. The first field that is set counts; none
// means now.
type Start struct {
	Cursor string        // behind what this cursor has seen
	All    bool          // at the oldest event there is
	Since  time.Duration // at the events of so long ago
	Last   int           // at the last so many events of each topic
}

// begin turns a start into a cursor. Every start has one, so that a client
// that is cut off before its first event comes back to the same place.
func (s *Subscriber) begin(from Start, mark *watermark) {
	now := event.Cursor{Epoch: mark.clock.Epoch, Position: mark.clock.Position}
	replay := event.Cursor{Epoch: mark.clock.Epoch, Opened: mark.clock.Position}
	switch {
	case from.Cursor != "":
		s.resume(from.Cursor, mark)
		return
	case from.All:
		s.cursor = replay
	case from.Since > 0:
		s.cursor = replay
		s.cursor.Position = event.Earliest(event.Before(mark.now().Add(-from.Since)), mark.clock.Position)
	case from.Last > 0:
		s.cursor = replay
		s.cursor.Last = from.Last
	case s.hasTables():
		s.cursor = replay
		s.cursor.Tables = true
	default:
		s.cursor = now
	}
	s.settled, s.epochs = true, mark.epochs
	s.opening.ID = s.cursor.String()
}

// hasTables reports whether one of the topics may be a table: a stream
// that starts now begins with that as it stands.
func (s *Subscriber) hasTables() bool {
	for i := range s.sources {
		if s.sources[i].log.mayHaveTables() { // no copy: its seat is for others to write
			return true
		}
	}
	return false
}

// begin lets the source of a stream begin that starts like that, at the cursor.
func (src *source) begin(from Start, at event.Cursor) {
	if src.log.selection == nil {
		src.last = int32(at.Last)
	}
	switch {
	case at.Replaying() && at.Tables:
		if !src.log.mayHaveTables() {
			src.from, src.opened = at.Opened, at.Opened
		}
	case from == Start{}:
		src.opened = at.Position
	}
}

// resume begins at a client's cursor. Unless it is ahead of the watermark, or
// of an epoch that the hub does not know, it needs no clock to be judged.
func (s *Subscriber) resume(text string, mark *watermark) {
	cursor, err := event.ParseCursor(text)
	if err != nil || cursor.Epoch.Store != mark.clock.Epoch.Store || cursor.Epoch.Number == 0 {
		// Until the client has the notice of its loss, its cursor stays
		// one that leads here again.
		s.opening.ID = event.Cursor{Epoch: event.Epoch{Store: mark.clock.Epoch.Store}}.String()
		s.lose(mark.clock, mark.clock.Position, lost{reason: event.BadCursor})
		s.epochs = mark.epochs
		return
	}
	s.cursor = cursor
	s.opening = Opening{ID: cursor.String(), Resumed: true}
	s.place(mark)
}

// place settles the cursor if the watermark tells that the store agrees with it.
func (s *Subscriber) place(mark *watermark) {
	_, s.settled = mark.clock.Ended[s.cursor.Epoch]
	if s.cursor.Epoch == mark.clock.Epoch {
		s.settled = !event.Latest(s.cursor.Position, s.cursor.Opened).After(mark.clock.Position)
		s.epochs = mark.epochs
	}
}
