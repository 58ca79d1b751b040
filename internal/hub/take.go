package hub

import (
	"slices"

	"tickertape/internal/event"
	"tickertape/internal/sse"
)

// State says what a subscriber is up to after a Take.
type State uint8

const (
	// More: there may be more now. Take again.
	More State = iota
	// Idle: with this it has everything there is. The waker is called when
	// there is more.
	Idle
	// Behind: what comes next is being read from the bus. The waker is
	// called when it is there.
	Behind
	// Ended: behind this there will be nothing more. Complete tells why.
	Ended
)

// Take appends the subscriber's next blocks to dst, as slices that are shared
// with others and must not be changed, and moves the cursor behind them. It
// stops once it has appended max bytes or more, so it may exceed max by one
// block. It never blocks and does no I/O.
func (s *Subscriber) Take(dst [][]byte, max int) ([][]byte, State) {
	if s.armed.Load() { // seldom: who has woken it has disarmed it
		s.armed.Store(false)
	}
	s.taken.Live = event.Position{}
	if s.closed.Load() || s.over {
		return dst, Ended
	}
	if !s.settled && !s.settle() {
		return dst, Behind
	}
	if s.lost != nil {
		return s.reportLost(dst), More
	}
	for {
		mark := s.hub.mark.Load() // first; see the package comment
		if s.follow(mark); s.lost != nil {
			return s.reportLost(dst), More
		}
		var space [4]view
		views, limit, ok := s.views(space[:0], mark.clock)
		if !ok {
			return dst, Behind
		}
		before, whole := len(dst), false
		dst, whole = s.merge(dst, max, views, limit)
		brought := len(dst) > before
		if brought {
			s.release(views)
		}
		switch {
		case !whole, brought && mark.clock.Position.After(limit):
			return dst, More
		case mark.clock.Position.After(limit):
			continue // that page is done with; on to what comes next
		}
		s.live = true
		if s.over = s.ended(); s.over {
			return dst, Ended
		}
		s.armed.Store(true)
		if s.hub.mark.Load() == mark {
			return dst, Idle
		}
		// The watermark rose before the feed could see that it has to
		// wake us: look again.
		s.armed.Store(false)
		if brought {
			return dst, More
		}
	}
}

// views returns what each topic has behind the cursor and up to which
// position all of them are complete, or false if one of them has to be read
// first.
func (s *Subscriber) views(views []view, now event.Clock) ([]view, event.Position, bool) {
	limit, complete := now.Position, true
	for i := range s.sources {
		src := &s.sources[i]
		if src.last > 0 {
			from, ok := src.log.tail(s, src, int(src.last), s.cursor.Opened, now)
			if !ok {
				complete = false
				continue
			}
			src.from, src.last = from, 0
		}
		v, ok := src.log.view(s, src, event.Latest(s.cursor.Position, src.from), now)
		if !ok {
			complete = false
			continue
		}
		limit = event.Earliest(limit, v.upto)
		if len(v.frames)+len(v.ahead) > 0 {
			views = append(views, v)
		}
	}
	return views, limit, complete
}

// release lets go of the pages that the cursor has passed: a client that stops
// reading now may hold up its writer for long.
func (s *Subscriber) release(views []view) {
	for _, v := range views {
		if v.page != nil && !v.page.upto.After(s.cursor.Position) {
			v.source.log.release(v.source, v.page)
		}
	}
}

// merge appends the views' frames up to limit in order of position and moves
// the cursor along; behind the last of them it stands at limit. It reports
// whether it came so far.
func (s *Subscriber) merge(dst [][]byte, max int, views []view, limit event.Position) (_ [][]byte, whole bool) {
	for size := 0; size < max || size == 0; { // one block at least
		next, found := limit, false
		for i := range views {
			v := &views[i]
			v.skip()
			if len(v.frames) > 0 && !v.frames[0].position().After(next) {
				next, found = v.frames[0].position(), true
			}
		}
		before := len(dst)
		dst = s.forewarn(dst, views, next)
		if found {
			dst = s.emit(dst, views, next)
		}
		for _, b := range dst[before:] {
			size += len(b)
		}
		if !found {
			s.cursor.Position = event.Latest(s.cursor.Position, limit)
			return dst, true
		}
	}
	return dst, false
}

// forewarn tells of the holes that the stream is about to enter, going on to
// position next, and that end beyond it: some of what is lost may have stood
// before next. Told only at its end, such a hole could be lost itself:
//
//	this node                          another node
//	knows that of A all up to 9 is lost
//	hands out 7 of B, and breaks
//	                                   the client comes back with 7
//	                                   has of A what follows 5, so 8 and 9,
//	                                   and no hole behind 7 to tell of
//
// The block has no id: a client that is cut off behind it is told again.
func (s *Subscriber) forewarn(dst [][]byte, views []view, next event.Position) [][]byte {
	for i := range views {
		for _, f := range views[i].entered(next) {
			if !s.missed(f) {
				continue
			}
			if s.told == nil {
				s.told = map[event.Topic]event.Position{}
			}
			s.told[f.event.Topic] = f.position()
			dst = s.appendGap(dst, "", s.notice(f))
		}
	}
	return dst
}

// emit appends all that stands at position p: one event, which may be of several
// views, or holes of one topic or of several. Only the last block carries the id, so that a client
// that is cut off between them comes back to all of them.
func (s *Subscriber) emit(dst [][]byte, views []view, p event.Position) [][]byte {
	var gaps []GapNotice
	var live *frame
	for i := range views {
		v := &views[i]
		for ; len(v.frames) > 0 && v.frames[0].position() == p; v.frames = v.frames[1:] {
			switch f := v.frames[0]; {
			case !f.hole() && s.asked(f):
				live = f
			case s.missed(f) && !slices.ContainsFunc(gaps, func(n GapNotice) bool { return n.Topic == f.event.Topic }):
				gaps = append(gaps, s.notice(f))
			}
		}
	}
	s.cursor.Position = p
	return s.appendFrame(s.appendGaps(dst, gaps, live == nil), live)
}

// asked reports whether the stream is for those who were there when the event
// came: of an ephemeral topic nothing belongs to an opening replay.
func (s *Subscriber) asked(f *frame) bool {
	return f.event.Kind != event.KindEphemeral || f.position().After(s.cursor.Opened)
}

// missed reports whether the frame is a hole that is to be told. What was gone
// already when the stream opened, its opening replay did not ask for.
func (s *Subscriber) missed(f *frame) bool {
	return f.hole() && f.position().After(s.told[f.event.Topic]) && f.gap.Since.After(s.cursor.Opened)
}

// notice words a hole for this stream. What a stream that was up to date
// once has missed since, it missed by being slow.
func (s *Subscriber) notice(f *frame) GapNotice {
	reason := f.gap.Reason
	if s.live && (reason == event.Trimmed || reason == event.Expired) {
		reason = event.Overrun
	}
	after, resumed := s.name(s.cursor), s.cursor
	resumed.Position = f.position()
	return GapNotice{Topic: f.event.Topic, Reason: reason, After: &after, ResumedAt: s.name(resumed)}
}

// appendGaps appends one block for each notice, the last one with the cursor
// as its id if nothing else stands there.
func (s *Subscriber) appendGaps(dst [][]byte, gaps []GapNotice, last bool) [][]byte {
	for i, n := range gaps {
		id := ""
		if last && i == len(gaps)-1 {
			id = n.ResumedAt
		}
		dst = s.appendGap(dst, id, n)
	}
	return dst
}

func (s *Subscriber) appendGap(dst [][]byte, id string, n GapNotice) [][]byte {
	s.taken.Gaps++
	s.hub.counts.gap(n.Reason)
	block := appendGap(nil, id, n)
	s.taken.Bytes += uint64(len(block))
	if s.chunked {
		block = sse.AppendChunk(nil, block)
	}
	return append(dst, block)
}

// appendFrame appends an event. In the middle of an opening replay its id
// also says where the stream opened, so only what follows it is shared.
func (s *Subscriber) appendFrame(dst [][]byte, f *frame) [][]byte {
	if f == nil {
		return dst
	}
	if s.taken.Events++; s.live && s.taken.Live.IsZero() {
		s.taken.Live = f.position()
	}
	e := f.encoded(s.form)
	if !s.cursor.Replaying() {
		whole, size := e.whole(s.chunked)
		s.taken.Bytes += uint64(size)
		return append(dst, whole)
	}
	first, shared, size := e.under(sse.AppendID(nil, s.name(s.cursor)), s.chunked)
	s.taken.Bytes += uint64(size)
	return append(dst, first, shared)
}

// reportLost says for each topic that what the client had seen is of no use
// here. Of ephemeral ones it is not missed.
func (s *Subscriber) reportLost(dst [][]byte) [][]byte {
	var gaps []GapNotice
	for i := range s.sources {
		if l := s.sources[i].log; !l.is(event.KindEphemeral) {
			gaps = append(gaps, GapNotice{Topic: l.topic, Reason: s.lost.reason, After: s.lost.after, ResumedAt: s.cursor.String()})
		}
	}
	s.lost = nil
	return s.appendGaps(dst, gaps, true)
}
