// Package openai reads the answer of a language model that streams it in one
// of OpenAI's two forms, Chat Completions or Responses, and tells the text from
// all else. It knows the form of the answer only: who asks, and what becomes of
// the text, is not its matter.
package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"tickertape/internal/sse"
)

// Part is one thing that an answer brings: a Delta, or at its end Done or
// Failed.
type Part interface{ part() }

// Delta is a further piece of the answer's text: valid UTF-8, never empty.
type Delta string

// Done says that the answer is whole.
type Done struct {
	// FinishReason says why the model ended, for both forms in the words of
	// Chat Completions: stop, length, content_filter, tool_calls, or one
	// that the upstream has of its own. Empty if it did not say.
	FinishReason string
	// Usage is what the answer cost, as the upstream counts it; nil if it
	// did not say.
	Usage json.RawMessage
}

// Failed says that the answer is not whole, and never will be.
type Failed struct {
	Message string `json:"message"`
	Type    string `json:"type,omitempty"`
	Code    string `json:"code,omitempty"`
}

func (Delta) part()  {}
func (Done) part()   {}
func (Failed) part() {}

func (f Failed) Error() string {
	if f.Code == "" {
		return f.Message
	}
	return f.Code + ": " + f.Message
}

// maxEvent bounds one event of a stream. The last one of Responses repeats the
// whole answer.
const maxEvent = 8 << 20

// Reader reads one answer.
//
// Of several choices only the first one's text is handed on; refusals are text,
// too. Calls of tools, reasoning, events that are not known and whatever stands
// behind the end are passed over.
type Reader struct {
	begin  *beginning
	events *sse.Decoder
	seen   bool // an event of either form
	text   text
	done   *Done // Chat Completions told why it ended; usage may follow
	queue  []Part
	ended  bool
}

// NewReader returns a Reader over a body of type text/event-stream. It holds
// at most one event of the stream, and of that at most 8 MiB.
func NewReader(r io.Reader) *Reader {
	begin := &beginning{r: r}
	return &Reader{begin: begin, events: sse.NewDecoder(begin, maxEvent)}
}

// Next returns the answer's next part. The last one is Done or Failed, whatever
// happens to the stream; behind it, the error is io.EOF. There are no others.
func (r *Reader) Next() (Part, error) {
	for len(r.queue) == 0 {
		if r.ended {
			return nil, io.EOF
		}
		e, err := r.events.Next()
		if err != nil {
			r.endOfStream(err)
			continue
		}
		r.take(e)
	}
	next := r.queue[0]
	r.queue = r.queue[1:]
	return next, nil
}

// endOfStream judges an answer whose stream has nothing more.
func (r *Reader) endOfStream(err error) {
	switch {
	case r.done != nil:
		// Some upstreams leave [DONE] out, and by now it is all the same.
		r.end(*r.done)
	case errors.Is(err, sse.ErrTooLong):
		r.fail("an event of the stream is over %d MiB", maxEvent>>20)
	case !errors.Is(err, io.EOF):
		r.fail("the stream broke off: %v", err)
	case !r.seen:
		r.end(r.begin.failure())
	default:
		r.fail("the stream broke off before its end")
	}
}

func (r *Reader) fail(format string, args ...any) {
	r.end(Failed{Message: fmt.Sprintf(format, args...)})
}

// end puts the last part into the queue, behind what is left of the text.
func (r *Reader) end(last Part) {
	if rest := r.text.rest(); rest != "" {
		r.queue = append(r.queue, Delta(rest))
	}
	r.queue = append(r.queue, last)
	r.ended = true
}

// write takes a piece of text as the JSON string that it came in.
func (r *Reader) write(quoted json.RawMessage) {
	piece, err := r.text.add(quoted)
	switch {
	case r.ended:
	case err != nil:
		r.fail("a piece of text cannot be read: %v", err)
	case piece != "":
		r.queue = append(r.queue, Delta(piece))
	}
}
