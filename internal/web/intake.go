package web

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"tickertape/internal/event"
)

// The most that is decoded of a stream while the bus is busy with what came
// before: what one call of a bus takes well.
const (
	chunkMessages = 256
	maxChunk      = 1 << 20  // bytes
	minChunk      = 16 << 10 // however many streams there are
)

// chunk is a piece of a stream that is published in one step.
type chunk struct {
	messages []event.Message
	places   []int // where in the body each of them stood
	bytes    int
}

// empty lets go of the messages, but not of their room.
func (b *chunk) empty() {
	clear(b.messages)
	*b = chunk{messages: b.messages[:0], places: b.places[:0]}
}

// parts divides the chunk into parts of at most so many messages; 0: any number.
func (b *chunk) parts(most int) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		for from := 0; from < len(b.messages); {
			upto := len(b.messages)
			if most > 0 {
				upto = min(from+most, upto)
			}
			if !yield(chunk{messages: b.messages[from:upto], places: b.places[from:upto]}) {
				return
			}
			from = upto
		}
	}
}

// suits reports whether the room is for about so many messages.
func (b *chunk) suits(size int) bool {
	room := cap(b.messages)
	return size <= room && room <= 4*size
}

func (b *chunk) full(more int, most int64) bool {
	return len(b.messages) == chunkMessages || len(b.messages) > 0 && int64(b.bytes+more) > most
}

// intake stands between the goroutine that reads a stream and the one that
// publishes it. It holds one chunk: what has piled up.
type intake struct {
	all     *intakes
	mu      sync.Mutex
	changed sync.Cond
	next    chunk
	taken   chunk         // the last one; its room is for what comes behind the next
	end     error         // why nothing more comes; nil while the stream is open
	hurry   error         // why nobody waits any more for what was put; nil while somebody does
	gone    chan struct{} // closed once there is a hurry
}

func newIntake(of *intakes) *intake {
	in := &intake{all: of, gone: make(chan struct{})}
	in.changed.L = &in.mu
	return in
}

// put adds a message behind the others. It waits while the chunk is full, and
// reports false, having added nothing, once the intake is closed.
func (in *intake) put(m event.Message, place int) bool {
	size := len(m.Topic) + len(m.Name) + len(m.Key) + len(m.Data.Text) + len(m.IdempotencyKey) + len(m.Producer)
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.end == nil && in.next.full(size, in.all.chunk.Load()) {
		in.changed.Wait()
	}
	if in.end != nil {
		return false
	}
	in.next.messages = append(in.next.messages, m)
	in.next.places = append(in.next.places, place)
	in.next.bytes += size
	in.changed.Broadcast()
	return true
}

// take returns what has piled up, and waits while that is nothing. Once all is
// taken of a closed intake, it returns the reason why it was closed.
// What it returned before is of no use any more.
func (in *intake) take() (chunk, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.taken.empty()
	for in.end == nil && len(in.next.messages) == 0 {
		in.changed.Wait()
	}
	if len(in.next.messages) == 0 {
		return chunk{}, in.end
	}
	room, size := in.taken, len(in.next.messages)
	if !room.suits(size) { // as much is to come
		room = chunk{messages: make([]event.Message, 0, size), places: make([]int, 0, size)}
	}
	in.taken, in.next = in.next, room
	in.changed.Broadcast()
	return in.taken, nil
}

// close ends the stream; of several reasons the first one counts. What was put
// before is still there to be taken.
func (in *intake) close(reason error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.end == nil {
		in.end = reason
	}
	if in.hurry == nil && hasty(reason) {
		in.hurry = reason
		close(in.gone)
	}
	in.changed.Broadcast()
}

// hasty reports whether a stream that ends for that reason is to be answered at once,
// or never: the node ends, a topic has, the client is gone. One that came to its end,
// or to a mistake, is awaited by its client.
func hasty(reason error) bool {
	_, passing := errors.AsType[*event.UnavailableError](reason)
	_, ended := errors.AsType[*event.EndedError](reason)
	return passing || ended || errors.Is(reason, errShortBody)
}

// pause waits for d, or until nobody waits any more for what was put, or ctx ends, as
// it does when a client leaves that has sent all: then it returns why.
func (in *intake) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-in.gone:
		in.mu.Lock()
		defer in.mu.Unlock()
		return in.hurry
	case <-ctx.Done():
		return &event.UnavailableError{Err: errLeft}
	}
}

// intakes are the streams on their way in.
type intakes struct {
	size  int          // bytes that chunks may have together
	chunk atomic.Int64 // bytes that each may have
	mu    sync.Mutex
	open  map[*intake]struct{}
	end   error // why no more are taken; nil while they are
}

func newIntakes(size int) *intakes {
	s := &intakes{size: size, open: map[*intake]struct{}{}}
	s.share()
	return s
}

// share divides the room among all streams.
func (s *intakes) share() {
	s.chunk.Store(int64(min(max(s.size/max(1, len(s.open)), minChunk), maxChunk)))
}

// enter counts a stream in, unless there are too many or the node is ending.
func (s *intakes) enter(in *intake, most int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.end != nil:
		return s.end
	case len(s.open) >= most:
		return &event.UnavailableError{RetryAfter: fullRetry, Err: errFullIn}
	}
	s.open[in] = struct{}{}
	s.share()
	return nil
}

func (s *intakes) leave(in *intake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, in)
	s.share()
}

func (s *intakes) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// close ends all streams, and those that come later, for that reason.
func (s *intakes) close(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = reason
	for in := range s.open {
		in.close(reason)
	}
}
