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
// of a writer, whose connection wakes it.
type session struct {
	server     *Server
	subscriber *hub.Subscriber // nil: the client is sent away
	greeted    bool
	chunked    bool // the session writes the headers itself, and its blocks are chunks
	heartbeat  bool // in place of comments
	named      bool // what Next brought ends with an id

	keepAlive time.Duration // silence before a sign of life
	lastWrite time.Time
	lastID    time.Time // when the client last got an id
	leaveAt   time.Time // zero: the streams do not end yet

	own     uint64    // bytes of the hub's own blocks that Next brought
	written hub.Taken // what of the subscriber's the client got
	bytes   uint64    // that it got

	begin time.Time
	head  []byte // headers that are to be written
	ended func(Served)
}

// begun makes the session that of a stream.
func (s *session) begun(of *hub.Subscriber) {
	o := s.server.options
	s.subscriber = of
	s.keepAlive = o.KeepAlive*4/5 + rand.N(max(0, o.KeepAlive*2/5-2*o.tick())+1)
	s.server.counts.began(of.Opening().Resumed)
}

// Next implements loop.Source.
func (s *session) Next(dst [][]byte, now time.Time) ([][]byte, loop.Then) {
	if !s.greeted {
		s.greeted, s.named = true, true
		return s.append(dst, s.greeting()), loop.Then{More: true}
	}
	dst, state := s.subscriber.Take(dst, piece)
	s.named = len(dst) > 0
	switch {
	case s.subscriber.Complete():
		return s.appendLast(dst), loop.Then{End: ErrOver}
	case state == hub.More:
		return dst, loop.Then{More: true}
	case s.leaves(now):
		return s.append(dst, s.goodbye()), loop.Then{End: ErrClosing}
	}
	due := s.due()
	switch {
	case !now.Before(due):
		return s.append(dst, s.signOfLife(now)), loop.Then{More: true}
	case !s.leaveAt.IsZero() && s.leaveAt.Before(due):
		due = s.leaveAt
	}
	return dst, loop.Then{At: due}
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
	retry := s.server.options.Retry
	return sse.AppendRetry(nil, retry/2+rand.N(retry+1))
}

// leaves reports whether it is the stream's time to end. What was there before,
// it has handed out by then: its publishers were told that it is on its way.
func (s *session) leaves(now time.Time) bool {
	if s.leaveAt.IsZero() && s.server.isClosing() {
		s.leaveAt = now.Add(rand.N(s.server.window + 1))
	}
	return !s.leaveAt.IsZero() && !now.Before(s.leaveAt)
}

// due is when a quiet stream has to say something.
func (s *session) due() time.Time {
	alive, cursor := s.lastWrite.Add(s.keepAlive), s.lastID.Add(s.server.options.CursorEvery)
	if cursor.Before(alive) {
		return cursor
	}
	return alive
}

// signOfLife says that a quiet stream lives, and from time to time what its
// cursor is now: one that nobody renews grows older than what is kept.
func (s *session) signOfLife(now time.Time) []byte {
	name := ""
	switch {
	case s.heartbeat:
		name = hub.HeartbeatEvent
	case now.Sub(s.lastID) >= s.server.options.CursorEvery:
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
	s.lastWrite = now
	if s.named {
		s.lastID = now
	}
	var taken hub.Taken
	if s.subscriber != nil {
		taken = s.subscriber.Taken()
	}
	if events := taken.Events - s.written.Events; events > 0 {
		s.server.counts.events.Add(events)
		if delay := s.server.options.Delay; delay != nil && !taken.Live.IsZero() {
			delay(now.Sub(taken.Live.Time()))
		}
	}
	bytes := s.own + taken.Bytes
	s.server.counts.bytes.Add(bytes - s.bytes)
	s.written, s.bytes = taken, bytes
}

// end ends what is left of the stream, and tells of it.
func (s *session) end(why error) {
	sum := Served{Bytes: s.bytes, Events: s.written.Events, Gaps: s.written.Gaps, Time: time.Since(s.begin), Err: why}
	if s.subscriber != nil {
		sum.Begun, sum.Resumed = true, s.subscriber.Opening().Resumed
		s.subscriber.Close()
	}
	sum.Reason = reason(why, sum.Begun)
	s.server.counts.ending(sum.Begun, sum.Reason)
	s.ended(sum)
}
