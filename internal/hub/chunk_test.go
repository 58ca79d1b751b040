package hub_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http/httputil"
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/sse"
)

// Chunks hold the very bytes that the blocks are without them, each of them
// whole: in replays, where ids differ from stream to stream, live, and of gaps.
func TestChunksAreTheBlocks(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		for _, text := range []string{"", "one", "two\nlines", strings.Repeat("long", 5000)} {
			b.publish("a", text)
		}
		for _, at := range []hub.Start{{}, {All: true}, {Last: 2}, {Cursor: "of another hub"}} {
			for _, form := range []hub.Form{hub.Plain, hub.Envelope} {
				var streams [2]*hub.Subscriber
				for i := range streams {
					s, err := h.Subscribe(hub.Request{Topics: []event.Topic{"a"}, From: at, Form: form, Chunked: i == 1}, &bell{})
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					streams[i] = s
				}
				check := func(when string) {
					blocks, chunks := texts(streams[0]), texts(streams[1])
					got, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(chunks + sse.LastChunk)))
					if err != nil || string(got) != blocks {
						t.Errorf("%v in form %d, %s: chunks hold\n%q (%v), not\n%q", at, form, when, got, err, blocks)
					}
					for i, s := range streams {
						if got := s.Taken().Bytes; i == 0 && got == 0 && blocks != "" || got != streams[0].Taken().Bytes {
							t.Errorf("%v in form %d, %s: %d bytes are counted", at, form, when, got)
						}
					}
				}
				check("at first")
				b.publish("a", fmt.Sprint("live ", at, form))
				check("live")
			}
		}
	})
}

// A block is a chunk of its own, in one slice: whoever gets it gets the same.
func TestChunksAreShared(t *testing.T) {
	inScript(t, hub.Options{}, func(t *testing.T, b *scripted, h *hub.Hub) {
		var taken [2][][]byte
		var streams [2]*hub.Subscriber
		for i := range streams {
			s, err := h.Subscribe(hub.Request{Topics: []event.Topic{"a"}, Chunked: true}, &bell{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			streams[i] = s
		}
		b.publish("a", "one")
		b.publish("a", "two")
		for i, s := range streams {
			taken[i], _ = s.Take(nil, 1<<20)
		}
		for i, block := range taken[0] {
			if len(taken[1]) != 2 || &taken[1][i][0] != &block[0] || !bytes.HasSuffix(block, []byte("\n\n\r\n")) {
				t.Errorf("block %d is %q, and not shared", i, block)
			}
		}
	})
}
