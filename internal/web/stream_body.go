package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"tickertape/internal/event"
	"tickertape/internal/limit"
)

// lingerTime is how long a client that was answered in the middle of its body
// may go on sending: were the connection closed at once, what it sends would
// be answered by a reset, which can overtake the answer.
const lingerTime = 3 * time.Second

// streamBody is a body that may take hours, and that may be answered before
// it ends. The goroutine that reads it ends with end.
type streamBody struct {
	c       *gin.Context
	control *http.ResponseController
	done    chan struct{} // closed when nobody reads any more; nil if nobody ever did
	whole   bool          // the body came to its end; valid when done is closed
	settled bool          // nothing is left to be read

	caught  func(path string, p any)
	body    io.ReadCloser // as it comes
	silence time.Duration // that ends it; 0: none does
	mu      sync.Mutex
	ending  bool // the last deadline is set

	budget  *limit.Budget // for what is unfinished
	pending int64         // bytes that came since the last message
	taken   int64         // of the budget, for those
}

// unnoticed is how much of an unfinished message is not counted.
const unnoticed = 64 << 10

// openBody has other bounds for this body than others have. The answer may go out
// while it is being read.
func (s *Server) openBody(c *gin.Context) *streamBody {
	b := &streamBody{c: c, caught: s.caught, control: http.NewResponseController(c.Writer), body: c.Request.Body, silence: s.door.limits.Silence, budget: s.door.intake}
	_ = b.control.EnableFullDuplex() // HTTP/2 needs none
	b.deadline(time.Time{})
	c.Request.Body = b
	return b
}

// Read implements io.Reader: it reads from the body, as long as that is not silent for
// too long, and does not have too much that is unfinished.
func (b *streamBody) Read(p []byte) (int, error) {
	b.wait()
	n, err := b.body.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSilentBody
	}
	if b.pending += int64(n); b.pending > b.taken+unnoticed {
		if !b.budget.Take(b.pending - b.taken) {
			return 0, &event.UnavailableError{RetryAfter: fullRetry, Err: errFullIntake}
		}
		b.taken = b.pending
	}
	return n, err
}

// Close implements io.Closer.
func (b *streamBody) Close() error { return b.body.Close() }

// finished says that what came before is in a message.
func (b *streamBody) finished() {
	if b.taken > 0 {
		b.budget.Give(b.taken)
	}
	b.pending, b.taken = 0, 0
}

// wait gives the body its time for what comes next. The end of the reading wins over
// that: else
//
//	reader: about to read        end: deadline in 3 s, waits for the reader
//	reader: deadline in an hour, reads
//
// would hold the answer's connection for an hour.
func (b *streamBody) wait() {
	if b.silence == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ending {
		b.deadline(time.Now().Add(b.silence))
	}
}

// read starts the reader: it decodes messages into the intake until either
// ends, and drops the rest of the body.
func (b *streamBody) read(in *intake, from source) {
	b.done = make(chan struct{})
	go func() {
		defer close(b.done)
		in.close(b.decodeInto(in, from))
		b.finished()
		b.whole = b.drop()
	}()
}

// decodeInto returns why there are no more messages. A panic is the fault of
// this one stream.
func (b *streamBody) decodeInto(in *intake, from source) (err error) {
	defer func() {
		if p := recover(); p != nil {
			b.caught("/publish", p)
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	for {
		m, place, err := from.next()
		if err != nil {
			return placed(from.unit(), place, err)
		}
		b.finished()
		if !in.put(m, place) {
			return errEndMark // the intake knows better
		}
	}
}

// drop reads what is left of the body and reports whether it came to its end.
func (b *streamBody) drop() bool {
	_, err := io.Copy(io.Discard, b.body)
	return err == nil
}

// settle says, before the answer, whether the connection can be used again
// behind it: if the body has been read to its end, which is certain if ended, and
// everybody on the way knows where that is.
func (b *streamBody) settle(ended bool) {
	if ended {
		<-b.done
	}
	if b.done != nil {
		select {
		case <-b.done:
			b.settled = b.whole
		default:
		}
	}
	if b.settled && reusable(b.c.Request) {
		b.c.Writer.Header().Del("Connection") // see boundBody
	} else if b.c.Request.ProtoMajor == 1 {
		b.c.Header("Connection", "close")
	}
}

// end ends the reading. A client over HTTP/1 gets the time to see its answer.
func (b *streamBody) end() {
	if b.settled {
		return
	}
	wait := lingerTime
	if b.c.Request.ProtoMajor > 1 {
		wait = -time.Second // the end of one stream there harms no answer
	}
	b.mu.Lock()
	b.ending = true
	b.deadline(time.Now().Add(wait))
	b.mu.Unlock()
	if b.done == nil {
		b.drop()
		return
	}
	<-b.done
}

func (b *streamBody) deadline(at time.Time) {
	_ = b.control.SetReadDeadline(at) // fails only without a connection
}
