package redisbus

import "tickertape/internal/event"

// The parsers of what comes from Redis, for their fuzz tests. What they take
// is written by scripts, which no test can make write anything else.

// ParseAnnouncement reads an announcement and returns what it holds.
func ParseAnnouncement(text string) (event.Stretch, event.Position, error) {
	a, err := parseAnnouncement(1, text)
	return event.Stretch{Clock: event.Clock{Epoch: a.epoch, Position: a.upto}, Events: a.events, Losses: a.losses}, a.prev, err
}

// ParseAnswer reads the answer to a call of one group with these messages.
func ParseAnswer(messages []event.Message, answer string) ([]event.Receipt, event.Clock, error) {
	c := call{groups: []*group{{messages: messages}}}
	outcomes, err := c.outcomes(1, answer, event.Clock{})
	if err != nil {
		return nil, event.Clock{}, err
	}
	return outcomes[0].receipts, outcomes[0].clock, outcomes[0].err
}

// ParseEntry reads an entry of a topic's log.
func ParseEntry(id string, fields ...string) (event.Event, error) {
	list := make([]any, len(fields))
	for i, f := range fields {
		list[i] = f
	}
	e, err := parseEntry("a", []any{id, list})
	return e.event, err
}
