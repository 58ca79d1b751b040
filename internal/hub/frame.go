package hub

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json"

	"tickertape/internal/event"
	"tickertape/internal/sse"
)

// Form is how a stream writes its events.
type Form uint8

const (
	Plain    Form = iota // id, event name, data lines
	Envelope             // unnamed, the whole event as one line of JSON
	forms
)

// frame is an event as SSE bytes, encoded once for each form that somebody
// asks for and shared by all who get it (an end is the same in all of them); or the place of a hole (gap is set),
// which each stream words for itself.
type frame struct {
	event event.Event
	gap   event.Gap
	forms [forms]encoding
	stale atomic.Bool // a newer one has taken its place in its table
}

type encoding struct {
	once  sync.Once
	bytes []byte
	body  int // where what follows the id line begins
}

// holeFrame returns the place of a hole of the topic.
func holeFrame(t event.Topic, g event.Gap) *frame {
	return &frame{event: event.Event{Topic: t, Position: g.Position}, gap: g}
}

// hole reports whether the frame is the place of a hole.
func (f *frame) hole() bool { return f.gap.Reason != "" }

func (f *frame) position() event.Position { return f.event.Position }

// size is about what the frame takes in memory in one form.
func (f *frame) size() int { return 400 + 2*len(f.event.Data.Text) }

// bytes returns the frame in a form: the id line, and what follows it.
func (f *frame) bytes(form Form) (whole, body []byte) {
	e := &f.forms[form]
	e.once.Do(func() {
		e.bytes = sse.AppendID(nil, f.event.Cursor().String())
		e.body = len(e.bytes)
		if form == Envelope && f.event.End == "" {
			e.bytes = sse.AppendEvent(e.bytes, "", f.envelope())
		} else {
			e.bytes = sse.AppendEvent(e.bytes, f.event.Name, f.event.Data.Text)
		}
	})
	return e.bytes, e.bytes[e.body:]
}

func (f *frame) envelope() string {
	b, err := f.event.Envelope().AppendJSON(nil)
	if err != nil {
		// The data was said to be JSON but is not: hand it out as text.
		e := f.event
		e.Data.JSON = false
		e.Data.Text = strings.ToValidUTF8(e.Data.Text, "\ufffd")
		b, _ = e.Envelope().AppendJSON(nil)
	}
	return string(b)
}

// The names of the hub's own events.
const (
	OpenEvent      = "hub.open"
	GapEvent       = "hub.gap"
	CursorEvent    = "hub.cursor"
	HeartbeatEvent = "hub.heartbeat"
)

// GapNotice is the data of a hub.gap event.
type GapNotice struct {
	Topic  event.Topic  `json:"topic"`
	Reason event.Reason `json:"reason"`
	// After is the cursor behind which something is missing; null if the
	// client's own was unreadable.
	After *string `json:"after"`
	// ResumedAt is the cursor from which on the topic is complete again.
	ResumedAt string `json:"resumed_at"`
}

// appendGap appends a hub.gap block. Without an id the block leaves the
// client's cursor where it is.
func appendGap(dst []byte, id string, n GapNotice) []byte {
	if id != "" {
		dst = sse.AppendID(dst, id)
	}
	data, _ := json.Marshal(n) // of valid strings only: cannot fail
	return sse.AppendEvent(dst, GapEvent, string(data))
}
