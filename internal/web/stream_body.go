package web

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
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
	settled bool          // the connection can be used again
}

// openBody takes the bounds of other bodies off this one. The answer may go
// out while it is being read.
func openBody(c *gin.Context) *streamBody {
	b := &streamBody{c: c, control: http.NewResponseController(c.Writer)}
	_ = b.control.EnableFullDuplex() // HTTP/2 needs none
	b.deadline(time.Time{})
	return b
}

// read starts the reader: it decodes messages into the intake until either
// ends, and drops the rest of the body.
func (b *streamBody) read(in *intake, from source) {
	b.done = make(chan struct{})
	go func() {
		defer close(b.done)
		in.close(decodeInto(in, from))
		b.whole = b.drop()
	}()
}

// decodeInto returns why there are no more messages. A panic is the fault of
// this one stream.
func decodeInto(in *intake, from source) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	for {
		m, place, err := from.next()
		if err != nil {
			return placed(from.unit(), place, err)
		}
		if !in.put(m, place) {
			return errEndMark // the intake knows better
		}
	}
}

// drop reads what is left of the body and reports whether it came to its end.
func (b *streamBody) drop() bool {
	_, err := io.Copy(io.Discard, b.c.Request.Body)
	return err == nil
}

// settle says, before the answer, whether the connection can be used again
// behind it: if the body has been read to its end, which is certain if ended.
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
	if b.settled || b.c.Request.ProtoMajor > 1 {
		b.c.Writer.Header().Del("Connection") // see boundBody; HTTP/2 has other means
	} else {
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
	b.deadline(time.Now().Add(wait))
	if b.done == nil {
		b.drop()
		return
	}
	<-b.done
}

func (b *streamBody) deadline(at time.Time) {
	_ = b.control.SetReadDeadline(at) // fails only without a connection
}
