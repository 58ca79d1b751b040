package stream

import (
	"fmt"
	"math/rand/v2"
	"time"

	"tickertape/internal/hub"
	"tickertape/internal/loop"
	"tickertape/internal/sse"
)

// piece is how much is taken and written at once.
const piece = 16 << 10

// session is what a stream is, whoever writes it: its greeting, what it brings,
// its signs of life, its end, and what is counted of it. It is the loop.Source
// of a writer, whose connection wakes it. It must not be copied.
type session struct {
	subscriber hub.Subscriber // once it has begun
	server     *Server
	begun      bool // else the client is sent away
	greeted    bool
	chunked    bool // the session writes the headers itself, and its blocks are chunks
	heartbeat  bool // in place of comments
	named      bool // what Next brought ends with an id
	closing    bool // it knows that the node is closing
	departure  departure

	// Times are those since the server began: they take a third of the room.
	keepAlive time.Duration // silence before a sign of life
	lastWrite time.Duration
	lastID    time.Duration // when the client last got an id
	leaveAt   time.Duration // zero: it stays

	own          uint64 // bytes of the hub's own blocks that Next brought
	events, gaps uint64 // what of the subscriber's the client got
	bytes        uint64 // that it got

	begin time.Duration
	head  []byte // headers that are to be written
	ended func(Served)
}

// prepare makes a session that has not begun yet.
func (s *session) prepare(of *Server, q Request, ended func(Served)) {
	s.server, s.begin, s.heartbeat, s.ended = of, time.Since(of.began), q.Heartbeat, ended
}

// open makes the session that of a stream.
func (s *session) open(q Request, w hub.Waker) error {
	if err := s.subscriber.Open(s.server.hub, q.Request, w); err != nil {
		return err
	}
	o := s.server.options
	s.keepAlive = o.KeepAlive*4/5 + rand.N(max(0, o.KeepAlive*2/5-2*o.tick())+1)
	if o.Lifetime > 0 {
		s.leave(aged, s.begin+o.Lifetime*4/5+rand.N(o.Lifetime*2/5+1))
	}
	if !q.Expires.IsZero() {
		s.leave(expired, q.Expires.Sub(s.server.began))
	}
	return nil
}

// departure is why a stream ends that could go on.
type departure uint8

const (
	aged departure = iota + 1
	expired
	drained
)

// leave has the stream end at that time, unless it ends before.
func (s *session) leave(why departure, at time.Duration) {
	if s.leaveAt == 0 || at < s.leaveAt {
		s.departure, s.leaveAt = why, max(1, at)
	}
}

// start says that the stream begins now.
func (s *session) start() {
	s.begun = true
	s.server.counts.began(s.subscriber.Opening().Resumed)
}

// Warm implements loop.Source.
func (s *session) Warm() uint64 { return s.subscriber.Warm() + s.own }

// Next implements loop.Source.
func (s *session) Next(dst [][]byte, t time.Time) ([][]byte, loop.Then) {
	now := t.Sub(s.server.began)
	if !s.greeted {
		s.greeted, s.named = true, true
		return s.append(dst, s.greeting()), loop.Then{More: true}
	}
	if s.departure == expired && now >= s.leaveAt {
		return s.append(dst, s.farewell()), loop.Then{End: ErrExpired} // whatever there is for it
	}
	before := len(dst)
	dst, state := s.subscriber.Take(dst, piece)
	s.named = len(dst) > before
	switch {
	case s.subscriber.Complete():
		return s.appendLast(dst), loop.Then{End: ErrOver}
	case state == hub.More:
		return dst, loop.Then{More: true}
	case s.leaves(now):
		return s.append(dst, s.goodbye()), loop.Then{End: s.departure.err()}
	}
	due := s.due()
	switch {
	case now >= due:
		return s.append(dst, s.signOfLife(now)), loop.Then{More: true}
	case s.leaveAt != 0:
		due = min(due, s.leaveAt)
	}
	return dst, loop.Then{At: s.server.began.Add(due)}
}

// append appends a block of the hub's own.
func (s *session) append(dst [][]byte, block []byte) [][]byte {
	s.own += uint64(len(block))
	if s.chunked {
		block = sse.AppendChunk(s.head, block)
		s.head = nil
	}
	return append(dst, block)
}

// appendLast appends what tells that the end is one in order.
func (s *session) appendLast(dst [][]byte) [][]byte {
	if s.chunked {
		dst = append(dst, []byte(sse.LastChunk))
	}
	return dst
}

// greeting is the first block. It leaves together with the headers: a browser
// that is cut off before it has a cursor would come back without one.
func (s *session) greeting() []byte {
	opening := s.subscriber.Opening()
	block := sse.AppendID(s.goodbye(), opening.ID)
	data := fmt.Sprintf(`{"resumed":%t}`, opening.Resumed)
	if opening.Tables {
		data = fmt.Sprintf(`{"resumed":%t,"tables":true}`, opening.Resumed)
	}
	return sse.AppendEvent(block, hub.OpenEvent, data)
}

// goodbye is a retry line alone: it counts as soon as it is read, and a blank
// line behind it would be an empty event to some clients.
func (s *session) goodbye() []byte {
	return sse.AppendRetry(nil, jittered(s.server.options.Retry))
}

// jittered returns a time ± 50 %.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }

// farewell tells a client that its token has expired: it may come back with
// another one, and goes on from its cursor.
func (s *session) farewell() []byte {
	return sse.AppendEvent(s.goodbye(), hub.AuthEvent, `{"reason":"expired"}`)
}

// leaves reports whether it is the stream's time to end. What was there before,
// it has handed out by then: its publishers were told that it is on its way.
func (s *session) leaves(now time.Duration) bool {
	if !s.closing && s.server.isClosing() {
		s.closing = true
		s.leave(drained, now+rand.N(s.server.window+1))
	}
	return s.leaveAt != 0 && now >= s.leaveAt
}

func (d departure) err() error {
	if d == aged {
		return ErrAged
	}
	return ErrClosing
}

// due is when a quiet stream has to say something.
func (s *session) due() time.Duration {
	return min(s.lastWrite+s.keepAlive, s.lastID+s.server.options.CursorEvery)
}

// signOfLife says that a quiet stream lives, and from time to time what its
// cursor is now: one that nobody renews grows older than what is kept.
func (s *session) signOfLife(now time.Duration) []byte {
	name := ""
	switch {
	case s.heartbeat:
		name = hub.HeartbeatEvent
	case now-s.lastID >= s.server.options.CursorEvery:
		name = hub.CursorEvent
	default:
		return []byte(sse.KeepAlive)
	}
	s.named = true
	block := sse.AppendID(nil, s.subscriber.Cursor())
	return sse.AppendEvent(block, name, "{}")
}

// Written implements loop.Source: it counts what the client got.
func (s *session) Written(now time.Time) {
	s.lastWrite = now.Sub(s.server.began)
	if s.named {
		s.lastID = s.lastWrite
	}
	taken := s.subscriber.Taken()
	if events := taken.Events - s.events; events > 0 {
		s.server.counts.events.Add(events)
		if delay := s.server.options.Delay; delay != nil && !taken.Live.IsZero() {
			delay(now.Sub(taken.Live.Time()))
		}
	}
	bytes := s.own + taken.Bytes
	s.server.counts.bytes.Add(bytes - s.bytes)
	s.events, s.gaps, s.bytes = taken.Events, taken.Gaps, bytes
}

// end ends what is left of the stream, and tells of it.
func (s *session) end(why error) {
	sum := Served{Begun: s.begun, Bytes: s.bytes, Events: s.events, Gaps: s.gaps, Time: time.Since(s.server.began) - s.begin, Err: why}
	if s.begun {
		sum.Resumed = s.subscriber.Opening().Resumed
		s.subscriber.Close()
	}
	sum.Reason = s.server.counts.ending(sum.Begun, why)
	s.ended(sum)
}
