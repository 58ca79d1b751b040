package referee

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// Listener notes what a stream brings, over any number of connections. Its
// methods may be called from any goroutine.
type Listener struct {
	Name   string
	Topics []event.Topic

	ledger *Ledger
	start  event.Cursor
	stop   func()

	mu    sync.Mutex
	seen  []sighting
	gaps  []sightedGap
	opens int
	last  event.Position
	odd   []string
}

// sighting is one event: which publish it shows, of which of the listener's
// topics.
type sighting struct {
	at            place
	number, topic int32
}

// sightedGap is a hub.gap that came behind so many events.
type sightedGap struct {
	client.Gap
	behind  int
	resumed event.Cursor
}

// Listen starts a Listener that goes on from a cursor until Stop.
func Listen(c *client.Client, l *Ledger, name, start string, topics ...event.Topic) (*Listener, error) {
	cursor, err := event.ParseCursor(start)
	if err != nil {
		return nil, fmt.Errorf("start at %q: %w", start, err)
	}
	x := &Listener{Name: name, Topics: topics, ledger: l, start: cursor, last: cursor.Position}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { x.listen(ctx, c, start) })
	x.stop = func() { cancel(); running.Wait() }
	return x, nil
}

// Stop ends the listener and waits until it has ended.
func (x *Listener) Stop() { x.stop() }

func (x *Listener) listen(ctx context.Context, c *client.Client, start string) {
	topics := make([]string, len(x.Topics))
	for i, t := range x.Topics {
		topics[i] = string(t)
	}
	_, err := c.Listen(ctx, client.ListenOptions{Topics: topics, Cursor: start},
		client.Handler{Event: x.event, Gap: x.gap, State: x.state})
	if !errors.Is(err, context.Canceled) {
		x.complain("the stream ended for good: %v", err)
	}
}

func (x *Listener) event(e client.Event) error {
	data, err := e.Text()
	if err != nil {
		return err
	}
	cursor, err := event.ParseCursor(e.ID)
	if err != nil {
		return fmt.Errorf("the id of %.20q: %w", data.Text, err)
	}
	if e.Cursor != e.ID {
		x.complain("%.20q has the id %s and came with the cursor %s", data.Text, e.ID, e.Cursor)
	}
	number, topic := x.ledger.number(data.Text), slices.Index(x.Topics, e.Topic)
	if number < 0 || topic < 0 {
		x.complain("%.20q of %s came: nobody published it, or it is nothing for this stream", data.Text, e.Topic)
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen = append(x.seen, sighting{placeOf(cursor), int32(number), int32(topic)})
	x.last = event.Latest(x.last, cursor.Position)
	return nil
}

func (x *Listener) gap(g client.Gap) error {
	resumed, err := event.ParseCursor(g.ResumedAt)
	if err != nil {
		return fmt.Errorf("resumed_at of a gap: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gaps = append(x.gaps, sightedGap{g, len(x.seen), resumed})
	return nil
}

func (x *Listener) state(s client.State) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.Connected {
		x.opens++
	}
}

func (x *Listener) complain(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.odd = append(x.odd, fmt.Sprintf(format, args...))
}

// Last returns the position of the newest event that came; at first, that of
// the start.
func (x *Listener) Last() event.Position {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.last
}

// Opens returns how many connections have opened a stream.
func (x *Listener) Opens() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.opens
}

// Events returns how many events have come.
func (x *Listener) Events() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.seen)
}

// told reports whether a gap of the topic was told.
func (x *Listener) told(t event.Topic) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.gaps, func(g sightedGap) bool { return g.Topic == t })
}

// snapshot returns what came so far.
func (x *Listener) snapshot() (seen []sighting, gaps []sightedGap, odd []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen[:len(x.seen):len(x.seen)], slices.Clone(x.gaps), slices.Clone(x.odd)
}
