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
	gap   *event.Gap
	forms [forms]encoding
	stale atomic.Bool // a newer one has taken its place in its table
}

type encoding struct {
	once  sync.Once
	chunk []byte // the block as a chunk of HTTP/1.1
	block int32  // where the block begins in it,
	body  int32  // and what follows the block's id line
}

// chunkRoom is enough for what makes a chunk of a block.
const chunkRoom = 16

// holeFrame returns the place of a hole of the topic.
func holeFrame(t event.Topic, g event.Gap) *frame {
	return &frame{event: event.Event{Topic: t, Position: g.Position}, gap: &g}
}

// hole reports whether the frame is the place of a hole.
func (f *frame) hole() bool { return f.gap != nil }

func (f *frame) position() event.Position { return f.event.Position }

// size is about what the frame takes in memory in one form.
func (f *frame) size() int { return 400 + 2*len(f.event.Data.Text) }

// encoded returns the frame in a form.
func (f *frame) encoded(form Form) *encoding {
	e := &f.forms[form]
	e.once.Do(func() {
		// The block comes first, behind some room, for the chunk's head says how
		// long it is.
		const room, fields = chunkRoom - len(sse.ChunkEnd), len("id: \nevent: \ndata: \n\n")
		name, data := f.event.Name, f.event.Data.Text
		if form == Envelope && f.event.End == "" {
			name, data = "", f.envelope()
		}
		id := f.event.Cursor().String()
		b := make([]byte, room, chunkRoom+fields+len(id)+len(name)+len(data))
		b = sse.AppendID(b, id)
		body := len(b)
		b = sse.AppendEvent(b, name, data)
		var space [room]byte
		head := sse.AppendChunkHead(space[:0], len(b)-room)
		begin := room - copy(b[room-len(head):], head)
		e.chunk = append(b, sse.ChunkEnd...)[begin:]
		e.block, e.body = int32(len(head)), int32(body-begin)
	})
	return e
}

// whole returns the block, as a chunk or by itself, and the block's size.
func (e *encoding) whole(chunked bool) (whole []byte, size int) {
	end := len(e.chunk) - len(sse.ChunkEnd)
	if chunked {
		return e.chunk, end - int(e.block)
	}
	return e.chunk[e.block:end], end - int(e.block)
}

// under is whole with another id line in place of the block's own: what comes
// first, and what is shared.
func (e *encoding) under(id []byte, chunked bool) (first, shared []byte, size int) {
	end := len(e.chunk) - len(sse.ChunkEnd)
	size = len(id) + end - int(e.body)
	if chunked {
		return append(sse.AppendChunkHead(nil, size), id...), e.chunk[e.body:], size
	}
	return id, e.chunk[e.body:end], size
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
	AuthEvent      = "hub.auth" // the client's rights end here
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
