package sse_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	second "github.com/tmaxmax/go-sse"

	"tickertape/internal/sse"
)

const limit = 1 << 20

// ours reads the whole stream with our decoder.
func ours(t *testing.T, r io.Reader) (events []sse.Event, d *sse.Decoder) {
	t.Helper()
	d = sse.NewDecoder(r, limit)
	for {
		e, err := d.Next()
		if errors.Is(err, io.EOF) {
			return events, d
		}
		if err != nil {
			t.Fatalf("our decoder: %v", err)
		}
		events = append(events, e)
	}
}

// theirs reads it with another implementation, put into our words.
func theirs(t *testing.T, r io.Reader) (events []sse.Event) {
	t.Helper()
	for e, err := range second.Read(r, &second.ReadConfig{MaxEventSize: limit}) {
		if err != nil {
			t.Fatalf("go-sse: %v", err)
		}
		if e.Type == "" {
			e.Type = "message"
		}
		events = append(events, sse.Event{ID: e.LastEventID, Name: e.Type, Data: e.Data})
	}
	return events
}

var (
	dataLines = strings.NewReplacer("\r\n", "\n", "\r", "\n")
	oneLine   = strings.NewReplacer("\r", "", "\n", "", "\x00", "")
)

// FuzzEncoder: whatever stands in an event's id, name and data, a reader gets
// exactly that event between its neighbours, and never one that was forged.
func FuzzEncoder(f *testing.F) {
	for _, seed := range [][3]string{
		{"", "", ""},
		{"1AbC-_", "news", "hello"},
		{"1", "message", "two\nlines"},
		{"1", "x", " leading space\r\nand\rcarriage\n\nreturns\r"},
		{"1", "x", "\n"},
		{"1", "x", "\r\n\r\n"},
		{"1", "x", "a\r\n\nid: 6\nevent: forged\n\ndata: gone"},
		{"1\nevent: forged", "x\r\rdata: forged\r\r", "\ufeffBOM"},
		{"\x00", "\x00", "\x00"},
		{"1\n\n", "mess\nage", "data: x\n\n: comment\nretry: 1"},
		{" 1", " x", "\u2028 and \u0085 end no line"},
		{"\ufeff", "\ufeff", strings.Repeat("x", 5000) + "\r" + strings.Repeat("y", 5000)},
		{"\xff", "\xc3\x28", "\xed\xa0\x80"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, id, name, data string) {
		stream := sse.AppendEvent(sse.AppendID(nil, "before"), "first", "1")
		stream = sse.AppendEvent(sse.AppendID(stream, id), name, data)
		stream = sse.AppendEvent(stream, "last", "2")

		want := sse.Event{ID: oneLine.Replace(id), Name: oneLine.Replace(name), Data: dataLines.Replace(data)}
		if want.Name == "" {
			want.Name = "message"
		}
		all := []sse.Event{{ID: "before", Name: "first", Data: "1"}, want, {ID: want.ID, Name: "last", Data: "2"}}
		got, _ := ours(t, bytes.NewReader(stream))
		if !slices.Equal(got, all) {
			t.Errorf("our decoder read\n%q\nas %q, want %q", stream, got, all)
		}
		if got := theirs(t, bytes.NewReader(stream)); !slices.Equal(got, all) {
			t.Errorf("go-sse read\n%q\nas %q, want %q", stream, got, all)
		}
		// The event at the very beginning, where a BOM would be taken off.
		alone := sse.AppendEvent(nil, name, data)
		want.ID = ""
		if got, _ := ours(t, bytes.NewReader(alone)); !slices.Equal(got, []sse.Event{want}) {
			t.Errorf("our decoder read\n%q\nas %q, want %q", alone, got, want)
		}
	})
}

// pieces is a reader that returns what it has in pieces of random sizes.
type pieces struct {
	rest []byte
	rand *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:1+p.rand.IntN(min(len(p.rest), 7))])
	p.rest = p.rest[n:]
	return n, nil
}

// FuzzDecoder: how a stream is cut into packets changes nothing, and where
// the standard leaves no choice another implementation reads the same.
func FuzzDecoder(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "\r", "\r\n", "\ufeff", "\ufeffdata: x\n\n", "\ufeff\ufeffdata: x\n\n",
		"data: x\n\n", "data: x\r\r", "data: x\r\n\r\n", "data: x\n\r\n\r", "data: x\r\n\rdata: y\n\r",
		"data\n\n", "data:\n\n", "data\ndata\n\n", "data:  x\n\n", "data : x\n\n", "DATA: x\n\n",
		"id: 1\ndata: x\n\nid\ndata: y\n\n", "id: 1\n\ndata: x\n\n", "id: \x00\ndata: x\n\n", "id: 1\ndata: cut off",
		"event: a\n\ndata: unnamed\n\n", "event: a\nevent: b\ndata: x\n\n", "event\ndata: x\n\n",
		"retry: 10\n\n", "retry: 1x\nretry:\nretry: 99999999999999999999\ndata: x\n\n", "retry: -1\n\n",
		": comment\n\n:\n:data: x\ndata: y\n\n", "unknown: x\ncolonless\ndata: x\n\n",
		"data: " + strings.Repeat("long", 3000) + "\n\n", "\n\n\n\ndata: x\n\n\n\n",
	} {
		f.Add([]byte(seed), uint64(1))
	}
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		whole, first := ours(t, bytes.NewReader(stream))
		cut, other := ours(t, &pieces{stream, rand.New(rand.NewPCG(seed, 0))})
		if !slices.Equal(whole, cut) {
			t.Fatalf("%q: in pieces %q, at once %q", stream, cut, whole)
		}
		if first.LastID() != other.LastID() || first.Retry() != other.Retry() {
			t.Fatalf("%q: in pieces id %q, retry %v; at once %q, %v", stream,
				other.LastID(), other.Retry(), first.LastID(), first.Retry())
		}
		if first.Retry() < 0 || first.Retry() > 1<<31*time.Millisecond {
			t.Fatalf("%q: retry %v", stream, first.Retry())
		}
		if trimmed := bytes.TrimLeft(stream, "\r\n"); len(trimmed) < len(stream) && bytes.HasPrefix(trimmed, []byte("\ufeff")) {
			return // go-sse takes this BOM, too, for the stream's first bytes
		}
		// go-sse also dispatches what has no data, and what the end cuts
		// off: so the stream is finished, and empty events do not count.
		finished := append(slices.Clone(stream), "\n\n"...)
		mine, _ := ours(t, bytes.NewReader(finished))
		if a, b := withData(mine), withData(theirs(t, bytes.NewReader(finished))); !slices.Equal(a, b) {
			t.Fatalf("%q: we read %q, go-sse %q", finished, a, b)
		}
	})
}

func withData(events []sse.Event) []sse.Event {
	return slices.DeleteFunc(events, func(e sse.Event) bool { return e.Data == "" })
}
