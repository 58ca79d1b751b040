package hub

import (
	"sync/atomic"

	"tickertape/internal/event"
)

// Waker belongs to a writer, which takes frames for one subscriber or for
// thousands.
type Waker interface {
	// Wake says that Take has more to say than it had. It may be called
	// from any goroutine, also before Subscribe has returned and after
	// Close; it must not block, nor call the hub.
	Wake(*Subscriber)
}

// Request is what a subscriber asks for.
type Request struct {
	Topics    []event.Topic    // none twice
	Selectors []event.Selector // all topics that one of them matches; none twice
	From      Start
	Form      Form
	// Chunked asks for the blocks as chunks of HTTP/1.1: one each, or two
	// slices that are one.
	Chunked bool
}

// Subscriber is one open stream: a cursor over some topics. All of its
// methods belong to one goroutine at a time, its writer's.
type Subscriber struct {
	// What a wake looks at comes first, then what each Take does: with
	// thousands of subscribers, none of it is in a processor's cache any more,
	// see Warm.
	armed   atomic.Bool // idle: the feed should wake it
	closed  atomic.Bool
	waker   Waker
	hub     *Hub
	form    Form
	chunked bool
	settled bool // see cursor
	live    bool // has once had everything there was
	over    bool // all its topics have ended
	sources []source
	one     [1]source // the room for one topic, which most have

	// cursor is what has been handed out. While it is not settled, nobody
	// knows yet whether the store agrees with it.
	cursor event.Cursor
	epochs *event.Clock // as it was when the cursor came to its epoch; nil: it is a client's
	taken  Taken

	lost  *lost                          // to be reported before anything else
	cut   *cut                           // the last one of the cursor
	clock atomic.Pointer[event.Clock]    // what settles the cursor, from a reader
	told  map[event.Topic]event.Position // holes that end up to here have been told

	opening Opening
}

// lost says that everything before a cursor is.
type lost struct {
	reason event.Reason
	after  *string // the client's cursor then; nil: it was unreadable
}

// cut is what a cursor was before an epoch cut it back to a position. It still is
// that for the client while the cursor stands there.
type cut struct {
	from event.Cursor
	to   event.Position
}

// source is one topic of a subscriber, or all that a selector matches.
type source struct {
	log  *log
	from event.Position // nothing up to here is asked for
	last int32          // from has to be found first: it lies before so many events
	seat int32          // the number of its seat in the log; under log.mu
	page *page          // of the history, while it is needed; under log.mu

	end    event.Position // of the topic, as of the last view; zero: none is known
	opened event.Position // ends up to here do not count: the stream has not told of them
}

// Opening is what a stream begins with.
type Opening struct {
	ID      string // the cursor that the stream starts from
	Resumed bool   // it is the client's own
	// Tables says that one of the topics may be a table: then who starts now
	// gets other events than who is there already.
	Tables bool
}

// Subscribe opens a stream. It asks the bus nothing: what it takes to find
// the place that was asked for is up to Take. The only error is ErrNotReady.
func (h *Hub) Subscribe(r Request, waker Waker) (*Subscriber, error) {
	s := new(Subscriber)
	return s, s.Open(h, r, waker)
}

// Open is Subscribe for who has the memory: s is new, part of something of the
// writer's, and must not be copied.
func (s *Subscriber) Open(h *Hub, r Request, waker Waker) error {
	if h.mark.Load() == nil {
		return ErrNotReady
	}
	s.hub, s.waker, s.form, s.chunked = h, waker, r.Form, r.Chunked
	if n := len(r.Topics) + len(r.Selectors); n > len(s.one) {
		s.sources = make([]source, 0, n)
	} else {
		s.sources = s.one[:0]
	}
	for _, t := range r.Topics {
		h.join(t, s, s.add())
	}
	for _, match := range r.Selectors {
		h.joinSelection(match, s, s.add())
	}
	// Read after the logs have begun: a stream that starts now starts where
	// all of them reach back to.
	s.begin(r.From, h.mark.Load())
	s.opening.Tables = s.hasTables()
	for i := range s.sources {
		s.sources[i].begin(r.From, s.cursor)
	}
	if !s.settled {
		h.reads.push(task{judge: []*Subscriber{s}})
	}
	return nil
}

// Warm reads a little of all that Take is going to look at, and returns what
// nobody needs. What is in no cache, a processor fetches for many subscribers
// side by side, if nothing else comes between; Take after Take waits for it.
func (s *Subscriber) Warm() uint64 {
	return uint64(s.form) + s.one[0].from.Seq + s.cursor.Position.Seq + s.cursor.Opened.Seq + s.taken.Bytes
}

// add returns one more source. There is room for it: logs hold on to where it is.
func (s *Subscriber) add() *source {
	s.sources = append(s.sources, source{})
	return &s.sources[len(s.sources)-1]
}

// settle judges the cursor by the store's clock, and reports whether it could.
// The clock of an epoch that is over tells only of its own cursors: one of the
// next epoch would pass for one of an epoch that is lost.
func (s *Subscriber) settle() bool {
	clock := s.clock.Swap(nil)
	if clock == nil {
		return false
	}
	if mark := s.hub.mark.Load(); clock.Epoch != mark.clock.Epoch && clock.Epoch != s.cursor.Epoch {
		if s.place(mark); !s.settled {
			s.hub.reads.push(task{judge: []*Subscriber{s}})
		}
		return s.settled
	}
	s.settled = true
	s.judge(*clock)
	s.epochs = clock
	return true
}

// follow keeps the cursor in the epoch of the watermark: when that one has
// changed, the stream goes on from what the new epoch has of the old one. Of an
// epoch that the store has lost it may still have what came before that, and
// the stream may not have got any further.
func (s *Subscriber) follow(now *watermark) {
	if s.cursor.Epoch == now.clock.Epoch {
		return
	}
	if s.isCut() {
		s.cursor, s.epochs = s.cut.from, nil
	}
	if _, known := now.clock.Ended[s.cursor.Epoch]; !known && s.epochs != nil {
		if of := s.epochs.EpochOf(s.cursor.Position); of != s.cursor.Epoch {
			s.clip(s.epochs.Ended[of])
			s.cursor.Epoch = of
		}
	}
	s.judge(now.clock)
	s.epochs = now.epochs
}

// name returns a cursor as clients get it: in the epoch that gave out its
// position, for a later one may be lost, and what lies before it not. In the
// middle of an opening replay, the place where the stream opened counts too.
func (s *Subscriber) name(c event.Cursor) string {
	if c == s.cursor && s.isCut() { // never that of a gap to come
		c = s.cut.from
	} else if s.epochs != nil {
		c.Epoch = s.epochs.EpochOf(event.Latest(c.Position, c.Opened))
	}
	return c.String()
}

// judge finds the cursor's place in the clock's epoch.
func (s *Subscriber) judge(clock event.Clock) {
	position, reason := clock.Resolve(s.cursor)
	if reason != "" {
		text := s.name(s.cursor)
		s.lose(clock, position, lost{reason, &text})
		return
	}
	// A made-up cursor must not have opened at a place that the store has yet
	// to come to: the page read up to there is shared, and would pass for
	// complete.
	end := clock.Position
	if s.cursor.Epoch != clock.Epoch {
		end = clock.Ended[s.cursor.Epoch]
	}
	if s.cursor.Position.After(position) {
		s.cut = &cut{s.cursor, position}
	}
	s.clip(end)
	s.cursor.Position, s.cursor.Epoch = position, clock.Epoch
}

// isCut reports whether the client had more than the present epoch has, and the
// stream still stands where that has cut it back to.
func (s *Subscriber) isCut() bool {
	return s.cut != nil && s.cursor.Position == s.cut.to
}

// clip has nothing count that is known of places behind the end of an epoch:
// what stands there now is something else.
func (s *Subscriber) clip(end event.Position) {
	s.cursor.Opened = event.Earliest(s.cursor.Opened, end)
	for i := range s.sources {
		src := &s.sources[i]
		src.from, src.opened = event.Earliest(src.from, end), event.Earliest(src.opened, end)
	}
	for t, p := range s.told {
		s.told[t] = event.Earliest(p, end)
	}
}

// lose gives up what the client has seen: it goes on from position.
func (s *Subscriber) lose(clock event.Clock, position event.Position, what lost) {
	s.cursor, s.cut = event.Cursor{Epoch: clock.Epoch, Position: position}, nil
	s.lost = &what
	s.settled = true
	for i := range s.sources {
		src := &s.sources[i]
		src.from, src.last = event.Position{}, 0
	}
	s.told = nil
}

// Opening returns what the stream begins with.
func (s *Subscriber) Opening() Opening { return s.opening }

// Cursor returns the cursor of a client that has everything that Take has
// returned so far.
func (s *Subscriber) Cursor() string {
	if s.lost != nil || !s.settled {
		return s.opening.ID
	}
	return s.name(s.cursor)
}

// Close ends the subscriber. Take returns Ended from then on.
func (s *Subscriber) Close() {
	if s.closed.Swap(true) {
		return
	}
	s.armed.Store(false)
	for i := range s.sources {
		s.hub.leave(s, &s.sources[i])
	}
}
