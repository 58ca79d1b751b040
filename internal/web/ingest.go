package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tickertape/internal/auth"
	"tickertape/internal/event"
)

const (
	// readBuffer is what an open stream takes to find its lines in.
	readBuffer = 16 << 10
	// fullRetry is when a stream that was one too many may try again.
	fullRetry = 5 * time.Second
)

// source reads the messages of a stream.
type source interface {
	// next returns the next message, or why there is none, and where in the
	// body it stands; 0 for what concerns the whole body. At the end of the
	// body the error is io.EOF, behind the stream's own end errEndMark.
	next() (event.Message, int, error)
	// unit is what places count.
	unit() string
}

// errEndMark says that a stream is over, whatever may follow in its body.
var errEndMark = errors.New("the stream said that it ends")

// tally is how far a stream came.
type tally struct {
	Published  int    `json:"published"`
	Duplicates int    `json:"duplicates,omitempty"`
	LastID     string `json:"last_id,omitempty"`

	epoch event.Epoch // in which the last one of them was taken
}

func (t *tally) add(receipts []event.Receipt) {
	last := event.Receipt{}
	for _, r := range receipts {
		if r.Duplicate {
			t.Duplicates++
		} else {
			t.Published++
			t.epoch = r.Cursor.Epoch
		}
		if r.Cursor != (event.Cursor{}) {
			last = r
		}
	}
	if id := newReceipt(last).ID; id != "" {
		t.LastID = id
	}
}

// placedError is what is wrong at a place of a stream.
type placedError struct {
	unit  string
	place int // from 1
	err   error
}

func (e *placedError) Error() string { return fmt.Sprintf("%s %d: %v", e.unit, e.place, e.err) }
func (e *placedError) Unwrap() error { return e.err }

func placed(unit string, place int, err error) error {
	if place == 0 {
		return err
	}
	return &placedError{unit, place, err}
}

// publishStream answers a POST /publish whose body is a stream, or one that
// was refused already. Until the answer one goroutine reads, and this one
// publishes what that one decoded: a chunk at a time, because what fails must
// stop all that comes behind it.
func (s *Server) publishStream(c *gin.Context, caller *auth.Caller, kind bodyKind, refused error) {
	body := s.openBody(c)
	defer body.end()
	in, t := newIntake(s.intakes), &tally{}
	defer in.close(context.Canceled)
	from, numbers, err := streamSource(c, kind, refused)
	var at seat
	if err == nil {
		at, err = s.door.sitDown(c.Request, caller)
		defer at.leave()
	}
	if err == nil {
		err = s.intakes.enter(in, s.door.limits.StreamsIn)
	}
	if err == nil {
		defer s.intakes.leave(in)
		watch := newWatch(s.hub, in)
		defer watch.end()
		body.read(in, from)
		err = s.publishChunks(c, in, ingest{numbers, from.unit(), watch, caller, newBrake(s.purseOf(c, caller), c.Request.Header)}, t)
		in.close(err)
	}
	body.settle(errors.Is(err, io.EOF))
	if errors.Is(err, io.EOF) || errors.Is(err, errEndMark) {
		answerWhole(c, http.StatusOK, "application/json; charset=utf-8", t)
	} else {
		s.failStream(c, err, t)
	}
	c.Writer.Flush()
}

// streamSource checks the request around a stream.
func streamSource(c *gin.Context, kind bodyKind, refused error) (source, sequence, error) {
	if refused != nil {
		return nil, sequence{}, refused
	}
	d, numbers, err := defaultsOf(c)
	switch {
	case err != nil:
		return nil, sequence{}, err
	case d.End != "":
		return nil, sequence{}, errEndInQuery
	case d.IdempotencyKey != "":
		return nil, sequence{}, invalid("Idempotency-Key", "is for single messages; number a stream's by producer and seq")
	case kind == sseStream && d.Topic == "":
		return nil, sequence{}, hinted{invalid("topic", "is missing: it stands in the query"), "POST /publish?topic=chat.7d1f"}
	}
	if err := numbers.number([]event.Message{{Topic: "t"}}); err != nil {
		return nil, sequence{}, err
	}
	if kind == ndjsonStream {
		return newNDJSON(c.Request.Body, d), numbers, nil
	}
	probe := event.Message{Topic: event.Topic(d.Topic), Name: d.Name, Key: d.Key}
	return newSSE(c.Request.Body, d), numbers, probe.Validate()
}

// ingest is what all chunks of a stream have in common.
type ingest struct {
	numbers sequence
	unit    string
	watch   *watch
	caller  *auth.Caller
	brake   *brake
}

// publishChunks publishes until the stream is over, and returns why.
func (s *Server) publishChunks(c *gin.Context, in *intake, g ingest, t *tally) error {
	for {
		next, err := in.take()
		if err != nil {
			return err
		}
		for part := range next.parts(g.brake.part()) {
			if err := s.await(c, in, g, len(part.messages)); err != nil {
				return placed(g.unit, part.places[0], err)
			}
			if err := s.publishChunk(c, part, g, t); err != nil {
				return err
			}
		}
	}
}

// publishChunk publishes all messages of the chunk, or those before the first
// one that the bus refuses.
func (s *Server) publishChunk(c *gin.Context, next chunk, g ingest, t *tally) error {
	if err := g.caller.Live(time.Now()); err != nil {
		return placed(g.unit, next.places[0], err)
	}
	for i, m := range next.messages {
		if err := s.mayPublish(g.caller, m); err != nil {
			return s.publishBefore(c, next, i, err, g, t)
		}
	}
	numbers := g.numbers
	numbers.first += int64(t.Published + t.Duplicates)
	if err := numbers.number(next.messages); err != nil {
		return placed(g.unit, next.places[0], err)
	}
	if numbers.producer != "" {
		next.messages[0].Follows = t.epoch
	}
	g.watch.extend(next.messages)
	receipts, err := s.publishSome(c, next.messages)
	if err == nil {
		t.add(receipts)
		return nil
	}
	item, ok := errors.AsType[*event.ItemError](err)
	if !ok {
		return placed(g.unit, next.places[0], err)
	}
	return s.publishBefore(c, next, item.Index, item.Err, g, t)
}

// publishBefore publishes what stands before a message with which the stream ends.
func (s *Server) publishBefore(c *gin.Context, next chunk, bad int, why error, g ingest, t *tally) error {
	before := next
	before.messages = next.messages[:bad]
	if len(before.messages) > 0 {
		if err := s.publishChunk(c, before, g, t); err != nil {
			return err
		}
	}
	return placed(g.unit, next.places[bad], why)
}

func (s *Server) publishSome(c *gin.Context, messages []event.Message) ([]event.Receipt, error) {
	ctx, cancel := busContext(c)
	defer cancel()
	return s.store(ctx, bodyOf(c.Request.Header), messages)
}

// EndStreams ends the streams on their way in: what has arrived of them is
// published, unless it has to wait for its publisher's rate, then they and all later ones are answered 503 and told how far
// they came, so that their producers go on elsewhere.
func (s *Server) EndStreams() {
	s.intakes.close(&event.UnavailableError{RetryAfter: time.Second, Err: errDraining})
}
