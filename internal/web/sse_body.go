package web

import (
	"errors"
	"io"
	"strings"

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
		if e.Name == event.DefaultName && e.Data == "[DONE]" {
			b.ended = true
			break
		}
		name, ok := b.name(e.Name)
		if !ok {
			continue
		}
		b.ended = lastOf(e.Name)
		m := event.Message{Topic: event.Topic(b.defaults.Topic), Name: name, Key: b.defaults.Key, Data: event.Data{Text: e.Data}}
		return m, b.number, m.Validate()
	}
	return event.Message{}, 0, errEndMark
}

// name returns the name of the message that an event becomes, or that it
// becomes none. Names to which browsers and hubs give a meaning of their own
// are the upstream's here.
func (b *sseBody) name(name string) (string, bool) {
	switch {
	case name == "hub.open", name == "hub.heartbeat", name == "hub.cursor":
		return "", false // how the other hub's connection fares
	case name == "error", name == "open", name == "hub", strings.HasPrefix(name, "hub."):
		return "upstream." + name, true
	case name == event.DefaultName:
		return b.defaults.Name, true
	}
	return name, true
}

// lastOf reports whether an event is the last one of a stream of OpenAI's
// Responses API, which has no end mark.
func lastOf(name string) bool {
	return name == "response.completed" || name == "response.failed" || name == "response.incomplete"
}
