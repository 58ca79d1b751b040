package client

import (
	"context"
	"fmt"
	"net/url"

	"tickertape/internal/event"
)

// Ending is the hub's answer to an end.
type Ending struct {
	Topic  event.Topic  `json:"topic"`
	Status event.Status `json:"status"` // which stands: of a cancel, that of the end which came before
	ID     string       `json:"id"`     // of the end; may be empty if that came before
}

// End ends a topic, which takes no messages any more then, also one that has
// had none yet. Its errors are those of Publish: if the topic has ended already,
// an *Error that is an *event.EndedError.
func (c *Client) End(ctx context.Context, t event.Topic, s event.Status) (Ending, error) {
	return c.end(ctx, t, "end", struct {
		Status event.Status `json:"status"`
	}{s}, false)
}

// Cancel ends a topic as event.Cancelled: its producer is refused from then on.
// It can be called again without harm, and of a topic that has ended already it
// returns how.
func (c *Client) Cancel(ctx context.Context, t event.Topic) (Ending, error) {
	return c.end(ctx, t, "cancel", nil, true)
}

func (c *Client) end(ctx context.Context, t event.Topic, how string, body any, again bool) (Ending, error) {
	to := c.topics + "/" + url.PathEscape(string(t)) + "/" + how
	var e Ending
	if err := c.post(ctx, to, body, again, &e); err != nil {
		return Ending{}, endedAs(err, t)
	}
	if e.Topic != t {
		return Ending{}, fmt.Errorf("POST %s: %w: it is about no topic, or another one", to, errNotHub)
	}
	return e, nil
}
