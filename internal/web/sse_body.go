package web

import (
	"cmp"
	"errors"
	"io"

	"tickertape/internal/event"
	"tickertape/internal/sse"
)

// sseBody makes a message of each event of a stream that somebody else wrote:
// an LLM's answer, another hub's topic. docs/streams.md tells its rules.
type sseBody struct {
	decoder  *sse.Decoder
	defaults event.Defaults
	number   int  // of the event that was read last, from 1
	ended    bool // the last event says that nothing follows
}

func newSSE(body io.Reader, d event.Defaults) *sseBody {
	return &sseBody{decoder: sse.NewDecoder(body, maxLine), defaults: d}
}

func (*sseBody) unit() string { return "event" }

// next implements source.
func (b *sseBody) next() (event.Message, int, error) {
	for !b.ended {
		e, err := b.decoder.Next()
		switch {
		case errors.Is(err, io.EOF):
			return event.Message{}, 0, io.EOF
		case errors.Is(err, sse.ErrTooLong):
			return event.Message{}, b.number + 1, errEventSize
		case err != nil:
			return event.Message{}, 0, bodyError(err)
		}
		b.number++
		as := event.FromStream(e.Name, e.Data)
		b.ended = as.Last
		if as.Skip {
			continue
		}
		m := event.Message{Topic: event.Topic(b.defaults.Topic), Name: cmp.Or(as.Name, b.defaults.Name), Key: b.defaults.Key, Lease: b.defaults.Lease, Data: event.Data{Text: e.Data}}
		return m, b.number, m.Validate()
	}
	return event.Message{}, 0, errEndMark
}
