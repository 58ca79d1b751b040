package event

import "time"

// The words in which a bus speaks to a hub; the contract behind them is told
// at hub.Bus.

// Clock is a reading of a store's clock.
type Clock struct {
	Epoch    Epoch
	Position Position // no event has a later one yet; every later event will
	Began    Position // where this epoch began: no event of it lies at or before
	// Ended holds the epochs before this one and where each of them ended.
	Ended map[Epoch]Position
}

// EpochOf returns the epoch that gave out the position, as far as the clock
// remembers: of those that lived longer ago, the oldest one it knows.
func (c Clock) EpochOf(p Position) Epoch {
	of, end, found := c.Epoch, Position{}, false
	for epoch, ended := range c.Ended {
		if !p.After(ended) && (!found || end.After(ended)) {
			of, end, found = epoch, ended, true
		}
	}
	return of
}

// Stretch is a piece of the feed: what lies behind the previous stretch's
// watermark and up to its own.
type Stretch struct {
	// Clock is how the store's clock stood at the end of the stretch. Its
	// position is the watermark. Its epoch differs from the previous
	// stretch's only if this one is broken.
	Clock  Clock
	Events []Event // in order of position
	Losses []Loss  // what was found to be gone, in order of position, behind all events
	// Broken says that the bus could not follow the wire up to here: what
	// lies in the stretch has to be read from the history. Only of the Intact
	// topics it is known that there is nothing.
	Broken bool
	Intact map[Topic]struct{}
}

// Loss tells that events of a topic are gone that the feed has handed over.
type Loss struct {
	Topic Topic
	Prev  Position // the topic's before the gap's, as of events
	Gap   Gap
}

// Sink is what a bus feeds: a hub.
type Sink interface {
	// Feed takes the next stretch. A bus calls it from one goroutine at a
	// time; it does not block and does not call the bus.
	Feed(Stretch)
	// Topics returns the topics of which the sink keeps what it is fed.
	Topics() []Topic
}

// Receipt is the answer to one published message.
type Receipt struct {
	Topic  Topic
	Cursor Cursor // of the end, if the message ends its topic
	// Duplicate says that the message was stored before; Cursor is that
	// one's, or zero if the bus does not know it any more.
	Duplicate bool
	// Life names the life of the topic that the message is in: the position at
	// which that began. Zero for a Duplicate and for an ephemeral topic.
	Life Position
}

// Range asks for a part of a topic's history: the events behind After, up to
// and including Upto, oldest first. If Last is not 0 and more than that are
// left, only the last so many of them count, and the page begins right before
// the first of those: its After is that event's Prev.
type Range struct {
	Topic Topic
	After Position
	Upto  Position
	Last  int
	Limit int // the most events of the page; 0: no limit
	Bytes int // the page ends once its data has so many bytes; 0: no limit
}

// Page is a part of a topic's history: everything that the store still has
// behind After and up to and including Upto. Upto lies before the end of the
// range that was asked for if a limit cut it. If what is lost reaches beyond
// that end, nobody knows how much of it lay within: then Upto is After, and
// the one Gap has its position beyond the range. If events stand in the range all
// the same, as those of a table may, the page is complete with them up to its
// end, and the gap stands in it as late as it can.
type Page struct {
	Epoch  Epoch // the store's, when the page was read
	After  Position
	Upto   Position
	Events []Event
	Gaps   []Gap // in order of position
	// End is the end of the topic as the store had it then, wherever it stands;
	// nil if it has not ended.
	End *Event
}

// Gap says that events of a topic are gone for good.
type Gap struct {
	Position Position // of the last thing lost
	Since    Position // where the store's clock stood when that one went
	Reason   Reason
}

// Reason tells why events are gone.
type Reason string

// The reasons that hub.gap gives.
const (
	Trimmed   Reason = "trimmed"    // over the topic's limits
	Expired   Reason = "expired"    // older than the topic's age limit
	Overrun   Reason = "overrun"    // the client was too far behind
	StoreLost Reason = "store_lost" // the store lost its data, or a part of it
	BadCursor Reason = "bad_cursor" // the client's cursor names no place here
)

// TopicInfo describes a topic as the store knows it.
type TopicInfo struct {
	Topic    Topic
	Kind     Kind
	Status   Status // how it ended; empty while it lives
	Retained int
	First    Cursor // of the oldest event that is kept; zero if none is
	Last     Cursor // of the newest event ever, kept or not
}

// Retention is how much of a topic a store keeps.
type Retention struct {
	Messages int
	Bytes    int
	Age      time.Duration
}

// WithDefaults returns the limits with those filled in of which nothing was
// said: 10,000 messages, 16 MiB, 24 hours.
func (r Retention) WithDefaults() Retention {
	if r.Messages == 0 {
		r.Messages = 10_000
	}
	if r.Bytes == 0 {
		r.Bytes = 16 << 20
	}
	if r.Age == 0 {
		r.Age = 24 * time.Hour
	}
	return r
}

// Resolve returns the position from which a client with the cursor goes on,
// and, if it cannot go on from what it has seen, the reason why: then what
// lies before that position is lost to it.
func (c Clock) Resolve(cursor Cursor) (Position, Reason) {
	switch {
	case cursor.Epoch == c.Epoch:
		if cursor.Position.After(c.Position) {
			return c.Position, BadCursor
		}
		return cursor.Position, ""
	case cursor.Epoch.Store != c.Epoch.Store || cursor.Epoch.Number == 0:
		return c.Position, BadCursor
	}
	if end, ok := c.Ended[cursor.Epoch]; ok {
		return Earliest(cursor.Position, end), ""
	}
	return c.Began, StoreLost
}

// Activity is what a store knows about the topics of a selector.
type Activity struct {
	Epoch  Epoch   // the store's, when it was read
	Topics []Topic // in no order
	// Forgotten is the store's forgotten position: topics of which it knows
	// nothing any more may have had events up to there.
	Forgotten Position
}
