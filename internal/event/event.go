// Package event holds the words that all of Tickertape speaks: topics,
// messages, events, positions, cursors, and what a bus says about them. It
// parses and validates them and knows their JSON; it does no I/O and imports
// nothing of this module.
package event

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Event is a message that a bus has accepted.
type Event struct {
	Epoch    Epoch
	Position Position
	// Prev is the topic's position before this one. A reader that is
	// complete up to Prev or beyond misses nothing before this event; for
	// one that is not, something is gone. It is the store's forgotten
	// position for the first event of a topic that the store does not know.
	Prev  Position
	Topic Topic
	Kind  Kind // the topic's, when this was taken
	Name  string
	Key   string
	Data  Data
	// End says that this is the end of the topic, and how it ended. Its name is
	// EndName, its data an object with topic and status.
	End Status
}

// NewEnd returns the end of a topic as an event, still without its places.
func NewEnd(t Topic, k Kind, s Status) Event {
	return Event{Topic: t, Kind: k, Name: EndName, End: s,
		Data: Data{JSON: true, Text: fmt.Sprintf(`{"topic":%q,"status":%q}`, t, s)}}
}

// Deletes reports whether the event takes its key out of its table.
func (e Event) Deletes() bool { return e.Kind == KindLatest && e.End == "" && e.Data.IsNull() }

// Cursor returns what a client has seen once it has this event.
func (e Event) Cursor() Cursor { return Cursor{Epoch: e.Epoch, Position: e.Position} }

// Envelope is an event as JSON: one line of a stream in envelope form, one
// item of a topic's history.
type Envelope struct {
	Topic Topic          `json:"topic"`
	ID    string         `json:"id"`
	Time  string         `json:"time"`
	Event string         `json:"event"`
	Key   string         `json:"key,omitzero"`
	Data  jsontext.Value `json:"data"`
}

const timeLayout = "2006-01-02T15:04:05.000Z"

// Envelope returns the event's JSON form. Its data is a JSON string if the
// message was published as text, and the value itself if it was JSON.
func (e Event) Envelope() Envelope {
	name := e.Name
	if name == "" {
		name = DefaultName
	}
	return Envelope{Topic: e.Topic, ID: e.Cursor().String(), Time: e.Position.Time().Format(timeLayout),
		Event: name, Key: e.Key, Data: e.Data.value()}
}

func (d Data) value() jsontext.Value {
	if d.JSON {
		return jsontext.Value(d.Text)
	}
	quoted, err := jsontext.AppendQuote(nil, d.Text)
	if err != nil {
		// Only for invalid UTF-8, which Validate keeps out; what is left
		// then has the bad bytes replaced.
		return jsontext.Value(quoted)
	}
	return quoted
}

// AppendJSON appends the envelope to dst as one line of JSON without its
// newline.
func (v Envelope) AppendJSON(dst []byte) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

// Text returns the data of an envelope as it was published: a text's own
// bytes, or compact JSON.
func (v Envelope) Text() (Data, error) {
	if v.Data.Kind() != '"' {
		return Data{Text: string(v.Data), JSON: true}, nil
	}
	text, err := jsontext.AppendUnquote(nil, v.Data)
	return Data{Text: string(text)}, err
}

// At returns the envelope's time.
func (v Envelope) At() (time.Time, error) { return time.Parse(timeLayout, v.Time) }
