package referee

import (
	"context"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// Begin has a listener to which nothing has come yet ask for something else
// than what lies behind its start, which remains what is due to it.
func (x *Listener) Begin(o client.ListenOptions) { x.begin = o }

// Sip has a listener that is stopped take so many events, and leave for now
// behind the last of them. It returns early when ctx ends.
func (x *Listener) Sip(ctx context.Context, c *client.Client, events int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := x.Handler()
	take := h.Event
	h.Event = func(e client.Event) error {
		err := take(e)
		if events--; events <= 0 {
			cancel()
		}
		return err
	}
	x.follow(ctx, c, h)
}

// samePlace reports whether two cursors stand at one place: in the middle of an
// opening replay, a stream's cursor says more than the event's id.
func samePlace(a, b string) bool {
	p, err := event.ParseCursor(a)
	if err != nil {
		return false
	}
	q, err := event.ParseCursor(b)
	return err == nil && placeOf(p) == placeOf(q)
}
