package chat

import (
	"context"
	"encoding/json"
	"time"
	"unicode/utf8"

	"tickertape/internal/event"
	"tickertape/internal/openai"
)

// maxPiece is the most bytes of text that go into one message.
const maxPiece = 64 << 10

// writer makes messages of an answer's parts, one at a time: while the hub does
// not take one, text is joined, up to maxPiece of it.
type writer struct {
	topic   event.Topic
	options Options

	started bool
	text    string         // that is not published yet
	last    *event.Message // behind the text; nil until the answer ends
	failed  *openai.Failed // why, if it does so badly
	over    bool           // the last message was handed on
	held    bool           // text waits for more
	quiet   bool           // for long, nothing was published
	hold    *time.Timer    // until text waits no more
	sign    *time.Timer    // until a sign of life is due
}

func newWriter(t event.Topic, o Options) *writer {
	w := &writer{topic: t, options: o, hold: time.NewTimer(o.Coalesce), sign: time.NewTimer(o.Lease / 3)}
	w.hold.Stop()
	return w
}

func (w *writer) close() {
	w.hold.Stop()
	w.sign.Stop()
}

// write hands on what the answer brings, until all of it is, or nothing is taken
// any more. When ctx ends, the rest of the answer is not awaited.
func (w *writer) write(ctx context.Context, parts <-chan openai.Part, messages chan<- event.Message, gone <-chan struct{}) {
	interrupted := ctx.Done()
	for !w.over {
		from, to := parts, messages
		if w.full() {
			from = nil
		}
		next, ready := w.next()
		if !ready {
			to = nil
		}
		select {
		case part := <-from:
			w.take(part)
		case to <- next:
			w.handed(next)
		case <-w.hold.C:
			w.held = false
		case <-w.sign.C:
			w.quiet = true
		case <-interrupted:
			interrupted = nil
			if w.last == nil {
				w.last = &event.Message{Topic: w.topic, End: event.Cancelled, EndOnly: true}
			}
		case <-gone:
			return
		}
	}
}

// full reports whether nothing more of the answer is wanted for now.
func (w *writer) full() bool {
	return w.last != nil || len(w.text) >= maxPiece || w.options.Coalesce == 0 && w.text != ""
}

// take takes a part of the answer.
func (w *writer) take(part openai.Part) {
	switch part := part.(type) {
	case openai.Delta:
		w.text += string(part)
	case openai.Done:
		w.last = w.named("done", done{FinishReason: orNull(part.FinishReason), Usage: part.Usage, Model: w.options.Model})
		w.last.End = event.Completed
	case openai.Failed:
		w.failed = &part
		w.last = w.named("failed", failed{part})
		w.last.End = event.Failed
	}
}

// next returns the message that is to be published now, if there is one.
func (w *writer) next() (event.Message, bool) {
	switch {
	case !w.started && w.last == nil:
		m := w.named("started", started{w.options.Model})
		m.Lease = w.options.Lease
		return *m, true
	case w.text != "" && (!w.held || w.full()):
		return event.Message{Topic: w.topic, Data: event.Data{Text: w.piece()}}, true
	case w.text == "" && w.last != nil:
		return *w.last, true
	case w.quiet:
		return *w.named("waiting", struct{}{}), true
	}
	return event.Message{}, false
}

// piece returns the text that goes into the next message, in whole characters.
func (w *writer) piece() string {
	if len(w.text) <= maxPiece {
		return w.text
	}
	end := maxPiece
	for !utf8.RuneStart(w.text[end]) {
		end--
	}
	return w.text[:end]
}

// handed notes that what next returned is on its way.
func (w *writer) handed(m event.Message) {
	w.started, w.quiet = true, false
	w.sign.Reset(w.options.Lease / 3)
	switch {
	case m.End != "":
		w.over = true
	case m.Name == "":
		w.text = w.text[len(m.Data.Text):]
		if w.options.Coalesce > 0 {
			w.held = true
			w.hold.Reset(w.options.Coalesce)
		}
	}
}

// started, done and failed are the data of these events.
type (
	started struct {
		Model string `json:"model"`
	}
	done struct {
		FinishReason *string         `json:"finish_reason"`
		Usage        json.RawMessage `json:"usage"`
		Model        string          `json:"model"`
	}
	failed struct {
		Error openai.Failed `json:"error"`
	}
)

// named returns a message with a name, and data as JSON.
func (w *writer) named(name string, data any) *event.Message {
	text, _ := json.Marshal(data) // cannot fail: Usage is valid
	return &event.Message{Topic: w.topic, Name: name, Data: event.Data{Text: string(text), JSON: true}}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
