package sse_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/sse"
)

// The cases of the standard's "9.2.6 Interpreting an event stream", and those
// that its words decide although no example shows them.
func TestDecoderReadsAsBrowsersDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stream string
		want   []sse.Event
		lastID string
		retry  time.Duration
	}{
		"one event":              {"data: YHOO\ndata: +2\ndata: 10\n\n", []sse.Event{{"", "message", "YHOO\n+2\n10"}}, "", 0},
		"ids, one is taken back": {": test\n\ndata: 1\nid: 1\n\ndata:2\nid\n\ndata:  3\n\n", []sse.Event{{"1", "message", "1"}, {"", "message", "2"}, {"", "message", " 3"}}, "", 0},
		"empty data":             {"data\n\ndata\ndata\n\ndata:", []sse.Event{{"", "message", ""}, {"", "message", "\n"}}, "", 0},
		"the space is optional":  {"data:test\n\ndata: test\n\n", []sse.Event{{"", "message", "test"}, {"", "message", "test"}}, "", 0},
		"all line ends":          {"data: a\rdata: b\r\ndata: c\n\r\ndata: d\r\r", []sse.Event{{"", "message", "a\nb\nc"}, {"", "message", "d"}}, "", 0},
		"no event without data":  {"event: x\nid: 7\n\ndata: y\n\n", []sse.Event{{"7", "message", "y"}}, "7", 0},
		"a cut block is dropped": {"id: 1\ndata: a\n\nid: 2\ndata: b\n", []sse.Event{{"1", "message", "a"}}, "1", 0},
		"an id with NUL":         {"id: 1\ndata: a\n\nid: 2\x00\ndata: b\n\n", []sse.Event{{"1", "message", "a"}, {"1", "message", "b"}}, "1", 0},
		"the last name counts":   {"event: a\nevent: b\ndata: x\n\n", []sse.Event{{"", "b", "x"}}, "", 0},
		"an id before the name":  {"id: 1\nevent: a\ndata: x\n\ndata: y\n\n", []sse.Event{{"1", "a", "x"}, {"1", "message", "y"}}, "1", 0},
		"one BOM":                {"\ufeffdata: x\n\n\ufeffdata: y\n\n", []sse.Event{{"", "message", "x"}}, "", 0},
		"retry":                  {"retry: 2500\n\nretry: 1.5\nretry: -1\nretry: +1\nretry:\nretry: 12 \n\n", nil, "", 2500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, d := ours(t, strings.NewReader(c.stream))
			if !slices.Equal(got, c.want) || d.LastID() != c.lastID || d.Retry() != c.retry {
				t.Errorf("%q: got %q, id %q, retry %v", c.stream, got, d.LastID(), d.Retry())
			}
		})
	}
}

// A block that ends with a CR is complete: its event must not wait for the
// byte behind, which may be a LF and may be minutes away.
func TestDecoderDoesNotWaitBehindCR(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	read := make(chan sse.Event)
	go func() {
		defer close(read)
		d := sse.NewDecoder(r, limit)
		for {
			e, err := d.Next()
			if err != nil {
				return
			}
			read <- e
		}
	}()
	for _, stream := range []string{"data: 1\r\n\r", "\ndata: 2\r\r", "data: 3\n\r"} {
		if _, err := io.WriteString(w, stream); err != nil {
			t.Fatal(err)
		}
		select {
		case <-read:
		case <-time.After(5 * time.Second):
			t.Fatalf("nothing was read behind %q", stream)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if e, more := <-read; more {
		t.Errorf("one more event: %q", e)
	}
}

func TestDecoderLimitsBlocks(t *testing.T) {
	t.Parallel()
	for name, endless := range map[string]string{
		"a line":   strings.Repeat("x", 64),
		"lines":    "data: x\n",
		"comments": ": x\n",
	} {
		d := sse.NewDecoder(io.MultiReader(strings.NewReader("data: fits\n\n"), strings.NewReader(strings.Repeat(endless, 1000))), 2000)
		if e, err := d.Next(); err != nil || e.Data != "fits" {
			t.Errorf("%s: before: %q, %v", name, e, err)
		}
		if e, err := d.Next(); !errors.Is(err, sse.ErrTooLong) {
			t.Errorf("%s: got %q, %v; want ErrTooLong", name, e, err)
		}
	}
	// Blocks that fit are no matter how many.
	d := sse.NewDecoder(strings.NewReader(strings.Repeat("data: x\n\n: y\n\n", 1000)), 16)
	for range 1000 {
		if _, err := d.Next(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDecoderReturnsTheReadersError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	d := sse.NewDecoder(io.MultiReader(strings.NewReader("data: x\n\ndata: y\n"), errReader{broken}), limit)
	if e, err := d.Next(); err != nil || e.Data != "x" {
		t.Fatalf("got %q, %v", e, err)
	}
	if e, err := d.Next(); !errors.Is(err, broken) {
		t.Errorf("got %q, %v; want the reader's own error", e, err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
