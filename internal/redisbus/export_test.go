package redisbus

import (
	"time"

	"github.com/redis/go-redis/v9"

	"tickertape/internal/event"
)

// The parsers of what comes from Redis, for their fuzz tests. What they take
// is written by scripts, which no test can make write anything else.

// ParseAnnouncement reads an announcement and returns what it holds.
func ParseAnnouncement(text string) (event.Stretch, event.Position, error) {
	a, err := parseAnnouncement(1, text)
	return event.Stretch{Clock: event.Clock{Epoch: a.epoch, Position: a.upto}, Events: a.events, Losses: a.losses}, a.prev, err
}

// ParseAnswer reads the answer to a call of one group with these messages.
func ParseAnswer(messages []event.Message, answer string) ([]event.Receipt, event.Clock, error) {
	c := newCall(1, []*group{{messages: messages}}, event.Clock{}, nil)
	a, err := c.answer(1, answer, event.Clock{})
	if err != nil {
		return nil, event.Clock{}, err
	}
	return a.outcomes[0].receipts, a.clock, a.outcomes[0].err
}

// ParseEntry reads an entry of a topic's log.
func ParseEntry(id string, fields ...string) ([]event.Event, error) {
	values := map[string]any{}
	for i := 1; i < len(fields); i += 2 {
		values[fields[i-1]] = fields[i]
	}
	return parseEntries("a", []redis.XMessage{{ID: id, Values: values}}, event.Position{})
}

// Explain words what went wrong between the bus and Redis.
func Explain(err error) error { return explain(err) }

// Group is what one Publish asks for, and what became of it.
type Group struct {
	Messages []event.Message
	Deadline time.Time
	Receipts []event.Receipt
	Err      error
}

// PublishTogether has the groups go to the store in one call, as those do that
// have piled up.
func (b *Bus) PublishTogether(groups []Group) []Group {
	list := make([]*group, len(groups))
	for i, g := range groups {
		list[i] = newGroup(g.Messages, nil, g.Deadline)
	}
	b.lane.queue.putBack(list)
	for i, g := range list {
		o := <-g.done
		groups[i].Receipts, groups[i].Err = o.receipts, o.err
	}
	return groups
}

// View is where somebody takes the primary to be.
type View struct {
	Addr  string
	Epoch int64
}

// Decide returns the view to go by, of these that some of those asked have; the
// zero one if there is none.
func Decide(list []View, asked int, known View) View {
	views := make([]view, len(list))
	for i, v := range list {
		views[i] = view{v.Addr, v.Epoch}
	}
	next, _ := decide(views, asked, view{known.Addr, known.Epoch})
	return View{next.addr, next.epoch}
}

// Witness is what a node knows of the store, as topics' losses show it.
type Witness struct{ w *witness }

// NewWitness returns one that knows nothing.
func NewWitness(age time.Duration) Witness { return Witness{newWitness(age)} }

// Learn takes in how the store's clock stands.
func (w Witness) Learn(clock event.Clock) { w.w.learn(clock) }

// Note takes in that the topic had an event.
func (w Witness) Note(topic event.Topic, at event.Cursor) { w.w.note(topic, at) }

// Losses returns the positions that are to be reported, and what says that the
// store took them in.
func (w Witness) Losses() (positions []event.Position, reported func()) {
	list, in := w.w.losses(reportPage)
	for _, l := range list {
		positions = append(positions, l.position)
	}
	return positions, func() { w.w.reported(list, in) }
}
