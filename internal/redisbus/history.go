package redisbus

import (
	"context"
	"math"
	"slices"
	"time"

	"tickertape/internal/event"
)

// History reads a part of a topic, in as many pieces as keep Redis from being
// busy with it for long.
func (b *Bus) History(ctx context.Context, r event.Range) (event.Page, error) {
	if r.Limit == 0 {
		r.Limit = math.MaxInt32
	}
	if r.Bytes == 0 {
		r.Bytes = math.MaxInt32
	}
	page, err := b.history(ctx, r)
	if err != nil {
		return event.Page{}, unavailable(explain(err), false)
	}
	return page, nil
}

func (b *Bus) history(ctx context.Context, r event.Range) (event.Page, error) {
	if r.Last > 0 {
		after, err := b.tail(ctx, r)
		if err != nil {
			return event.Page{}, err
		}
		r.After = after
	}
	head, err := b.head(ctx, r.Topic)
	if err != nil {
		return event.Page{}, err
	}
	c := collector{bus: b, wanted: r, complete: r.After, page: event.Page{After: r.After, Upto: r.Upto}}
	s := stride{r.Limit, r.Bytes, head.size}
	for next := (part{after: r.After, upto: r.Upto}); ; {
		next.count = s.next()
		p, err := b.piece(ctx, r.Topic, next)
		if err != nil {
			return event.Page{}, err
		}
		if done, err := c.add(p); done || err != nil {
			return c.page, err
		}
		next.after = p.read
		s.took(p.list, next.count)
	}
}

// tail returns the position right before the last events that are asked for,
// or the beginning of the range if there are not so many.
func (b *Bus) tail(ctx context.Context, r event.Range) (event.Position, error) {
	left, before := r.Last, event.Position{}
	head, err := b.head(ctx, r.Topic)
	if err != nil {
		return event.Position{}, err
	}
	s := stride{r.Last, math.MaxInt32, head.size}
	for next := (part{after: r.After, upto: r.Upto, backward: true}); ; {
		next.count = s.next()
		p, err := b.piece(ctx, r.Topic, next)
		if err != nil {
			return event.Position{}, err
		}
		for _, e := range p.list {
			switch {
			case !e.Position.After(p.old):
				return r.After, nil
			case left == 0:
				return before, nil
			}
			left, before = left-1, e.Prev
			next.upto = e.Position.Previous()
		}
		if !p.full || len(p.list) == 0 {
			return r.After, nil
		}
		s.took(p.list, next.count)
	}
}

// stride is how many entries the next piece has at most: about as many as have
// what is wanted, and never so many that Redis is busy with them for long.
type stride struct {
	messages int // still wanted
	bytes    int
	each     size
}

const (
	maxStride   = 2048
	strideBytes = 512 << 10
)

// size is what an entry has, on average.
type size struct{ messages, bytes int }

func average(entries, messages, bytes int) size {
	return size{max(1, messages/max(1, entries)), bytes/max(1, entries) + 1}
}

// next returns the size of the next piece: one message more than is wanted shows
// whether there is more.
func (s *stride) next() int {
	return max(2, min(maxStride, s.messages/s.each.messages+1, min(strideBytes, s.bytes)/s.each.bytes+2))
}

// took takes in what a piece brought, of so many entries.
func (s *stride) took(list []event.Event, entries int) {
	bytes := 1
	for _, e := range list {
		bytes += len(e.Data.Text) + 1
	}
	s.messages = max(0, s.messages-len(list))
	s.bytes = max(0, s.bytes-bytes)
	s.each = average(entries, len(list), bytes)
}

// collector makes a page of pieces: a hole is wherever an event's Prev lies
// behind what the page is complete to.
type collector struct {
	bus      *Bus
	wanted   event.Range
	page     event.Page
	complete event.Position
	tooOld   event.Position // the last event that the store has and nobody gets
	bytes    int
}

// add adds a piece and reports whether the page is whole.
func (c *collector) add(p piece) (done bool, err error) {
	epochs := c.bus.witness.now()
	if epochs.Epoch != p.epoch || c.page.Epoch != (event.Epoch{}) && c.page.Epoch != p.epoch {
		return false, errElsewhere // the feed will come to it
	}
	c.page.Epoch = p.epoch
	c.page.End = p.state.end
	for _, e := range p.list {
		if !e.Position.After(p.old) {
			c.tooOld = e.Position // which is gone, also before a publish cuts it off
			continue
		}
		if len(c.page.Events) == c.wanted.Limit || c.bytes >= c.wanted.Bytes {
			c.page.Upto = c.complete
			return true, nil
		}
		if e.Prev.After(c.complete) {
			c.hole(p, e.Prev)
		}
		e.Epoch = epochs.EpochOf(e.Position)
		c.page.Events = append(c.page.Events, e)
		c.complete = e.Position
		c.bytes += len(e.Data.Text)
	}
	if p.full {
		return false, nil
	}
	c.end(p)
	return true, nil
}

// end finds out what is missing behind the last event of the range: what
// stands behind it tells, or else the topic's last position.
func (c *collector) end(p piece) {
	if c.bus.options.Rules.Of(c.wanted.Topic).Kind == event.KindEphemeral && p.empty {
		return // nor was there ever anything
	}
	if p.table() {
		c.marks(p, c.wanted.Upto)
		c.beyond(p)
		return
	}
	end, s := p.state.last, p.state
	if p.next != nil {
		end = p.next.Prev
	}
	// A loss behind the range is told there. What is missing here went before.
	upto := c.wanted.Upto
	switch loss := s.loss(c.complete, upto); {
	case !end.After(upto):
	case !loss.IsZero() && (loss == s.lost || s.before.After(upto)):
		c.hole(p, loss)
	case s.lost.After(c.complete) && !s.lost.After(end):
		end = s.before
	case p.next != nil && end.After(s.gone): // an earlier loss
		end = event.Latest(s.gone, c.tooOld)
	}
	switch {
	case !end.After(c.complete):
	case !end.After(c.wanted.Upto):
		c.hole(p, end)
	case c.complete != c.page.After:
		c.page.Upto = c.complete // what follows tells of the hole
	default:
		c.page.Upto = c.page.After
		c.page.Gaps = []event.Gap{c.gap(p, end)}
	}
}

// hole notes that all up to end is missing. A loss in it is told at its place,
// apart from what is gone from before it: that went at another time.
func (c *collector) hole(p piece, end event.Position) {
	if p.table() {
		c.marks(p, end)
		return
	}
	if s := p.state; s.lost.After(c.complete) && !s.lost.After(end) {
		c.miss(p, s.before)
		c.miss(p, s.lost)
	}
	c.miss(p, event.Earliest(c.tooOld, end)) // before an earlier loss
	c.miss(p, end)
}

// miss notes one gap up to end, unless all up to there is accounted for.
func (c *collector) miss(p piece, end event.Position) {
	if end.After(c.complete) {
		c.page.Gaps = append(c.page.Gaps, c.gap(p, end))
		c.complete = end
	}
}

// gap words the hole from what the page is complete to up to end.
func (c *collector) gap(p piece, end event.Position) event.Gap {
	age, s := c.bus.options.Retention.Age, p.state
	switch {
	case end == s.lost:
		return event.Gap{Position: end, Since: end, Reason: event.StoreLost}
	case slices.Contains(s.losses, end): // told below
	case !end.After(s.gone) && !s.trimmed.IsZero():
		// The last cut is known. An earlier one may have taken what stands here.
		return event.Gap{Position: end, Since: s.trimmed, Reason: event.Trimmed}
	case !end.After(event.Latest(s.gone, c.tooOld)), p.empty, end.After(c.wanted.Upto) && !end.After(p.old):
		return event.Gap{Position: end, Since: end.Add(age), Reason: event.Expired}
	}
	// An earlier loss, and maybe what was gone from before it.
	since := end
	switch {
	case p.empty:
		since = end.Add(age)
	case s.gone.After(c.complete) && s.trimmed.IsZero():
		since = event.Latest(end, s.gone.Add(age))
	case s.gone.After(c.complete):
		since = event.Latest(end, s.trimmed)
	}
	return event.Gap{Position: end, Since: since, Reason: event.StoreLost}
}

// oldest returns the last position that is too old at the moment.
func (b *Bus) oldest(now time.Time) event.Position {
	return event.Before(now.Add(-b.options.Retention.Age))
}
