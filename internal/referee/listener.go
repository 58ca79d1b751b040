package referee

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// Listener notes what streams bring it, over any number of connections. Its
// methods may be called from any goroutine, but Resume and Stop by one at a
// time.
type Listener struct {
	Name   string
	Topics []event.Topic
	// Late says that the listener started when all was over: what came to it
	// is what the store has left.
	Late bool

	ledger *Ledger
	start  event.Cursor
	stop   func()
	cursor string               // from which it goes on; whoever starts and stops it has it
	begin  client.ListenOptions // what it asks for while there is no cursor

	mu     sync.Mutex
	seen   []sighting
	gaps   []sightedGap
	opens  int
	last   event.Position
	odd    []string
	pauses pauses
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
	behind         int
	upto           int // the first event that came by another connection
	after, resumed event.Cursor
	at             time.Time
}

// NewListener returns a Listener from a cursor on, to which nothing comes yet.
func NewListener(l *Ledger, name, start string, topics ...event.Topic) (*Listener, error) {
	cursor, err := event.ParseCursor(start)
	if err != nil {
		return nil, fmt.Errorf("start at %q: %w", start, err)
	}
	return &Listener{Name: name, Topics: topics, ledger: l, start: cursor, last: cursor.Position, begin: client.ListenOptions{Cursor: start}, stop: func() {}}, nil
}

// Listen starts a Listener that goes on from a cursor until Stop.
func Listen(c *client.Client, l *Ledger, name, start string, topics ...event.Topic) (*Listener, error) {
	x, err := NewListener(l, name, start, topics...)
	if err == nil {
		x.Resume(c)
	}
	return x, err
}

// Resume has a listener that was stopped go on behind what it has.
func (x *Listener) Resume(c *client.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { x.follow(ctx, c, x.Handler()) })
	x.stop = func() { cancel(); running.Wait() }
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pauses.back(time.Now())
}

// Stop ends the listener's stream and waits until it has ended.
func (x *Listener) Stop() {
	x.stop()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pauses.leave(time.Now())
}

// follow listens until ctx ends.
func (x *Listener) follow(ctx context.Context, c *client.Client, h client.Handler) {
	topics := make([]string, len(x.Topics))
	for i, t := range x.Topics {
		topics[i] = string(t)
	}
	o := x.begin
	o.Topics = topics
	if x.cursor != "" {
		o.Cursor = x.cursor
	}
	cursor, err := c.Listen(ctx, o, h)
	x.cursor = cursor
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		x.complain("the stream ended for good: %v", err)
	}
}

// Handler returns what takes a stream's events for the listener, for those who
// do not leave the stream to it.
func (x *Listener) Handler() client.Handler {
	return client.Handler{Event: x.event, Gap: x.gap, State: x.state}
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
	if !samePlace(e.Cursor, e.ID) {
		x.complain("%.20q has the id %s and came with the cursor %s", data.Text, e.ID, e.Cursor)
	}
	number, topic := x.ledger.number(data.Text), slices.Index(x.Topics, e.Topic)
	if number < 0 || topic < 0 {
		x.complain("%.20q of %s came: nobody published it, or it is nothing for this stream", data.Text, e.Topic)
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pauses.event(time.Now())
	x.seen = append(x.seen, sighting{placeOf(cursor), int32(number), int32(topic)})
	x.last = event.Latest(x.last, cursor.Position)
	return nil
}

func (x *Listener) gap(g client.Gap) error {
	resumed, err := event.ParseCursor(g.ResumedAt)
	if err != nil {
		return fmt.Errorf("resumed_at of a gap: %w", err)
	}
	var after event.Cursor
	if g.After != "" {
		if after, err = event.ParseCursor(g.After); err != nil {
			return fmt.Errorf("after of a gap: %w", err)
		}
	}
	if !x.Follows(g.Topic) {
		x.complain("a gap of %s came, which is nothing for this stream", g.Topic)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gaps = append(x.gaps, sightedGap{Gap: g, behind: len(x.seen), upto: math.MaxInt, after: after, resumed: resumed, at: time.Now()})
	return nil
}

func (x *Listener) state(s client.State) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.Connected {
		x.opens++
		for i := len(x.gaps) - 1; i >= 0 && x.gaps[i].upto == math.MaxInt; i-- {
			x.gaps[i].upto = len(x.seen)
		}
	}
}

func (x *Listener) complain(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.odd = append(x.odd, fmt.Sprintf(format, args...))
}

// Follows reports whether the topic is one of the listener's.
func (x *Listener) Follows(t event.Topic) bool { return slices.Contains(x.Topics, t) }

// Last returns the position of the newest event that came; at first, that of
// the start.
func (x *Listener) Last() event.Position {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.last
}

// Has reports whether the publish came. It finds the newest ones fastest.
func (x *Listener) Has(number int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range slices.Backward(x.seen) {
		if s.number == int32(number) {
			return true
		}
	}
	return false
}

// Passed reports whether the listener has gone past an acknowledged publish:
// it has it, or was told of a gap of its topic that reaches beyond.
func (x *Listener) Passed(number int) bool {
	topic, at := x.ledger.placed(number)
	return x.Has(number) || at != (place{}) && x.skipped(topic, at)
}

func (x *Listener) skipped(t event.Topic, at place) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.gaps, func(g sightedGap) bool { return g.Topic == t && !at.position.After(g.resumed.Position) })
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

// Gaps counts the gaps that were told, by reason.
func (x *Listener) Gaps() map[event.Reason]int {
	x.mu.Lock()
	defer x.mu.Unlock()
	counts := map[event.Reason]int{}
	for _, g := range x.gaps {
		counts[g.Reason]++
	}
	return counts
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
