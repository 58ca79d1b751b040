package hub_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/sse"
)

// inScript runs a test with a hub over a scripted store, in a bubble.
func inScript(t *testing.T, o hub.Options, test func(*testing.T, *scripted, *hub.Hub)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newScripted()
		h, end := run(t, b, o)
		defer end()
		<-b.ready
		test(t, b, h)
	})
}

// told takes all there is, and says it in words: an event's text, a gap's
// topic and reason.
func told(t *testing.T, s *hub.Subscriber) string {
	t.Helper()
	d := sse.NewDecoder(strings.NewReader(texts(s)), 1<<20)
	var words []string
	for {
		got, err := d.Next()
		if err != nil {
			return strings.Join(words, " ")
		}
		if got.Name != hub.GapEvent {
			words = append(words, got.Data)
			continue
		}
		var n hub.GapNotice
		if err := json.Unmarshal([]byte(got.Data), &n); err != nil {
			t.Fatal(err)
		}
		words = append(words, string(n.Topic)+":"+string(n.Reason))
	}
}

func expect(t *testing.T, what string, s *hub.Subscriber, want string) {
	t.Helper()
	if got := told(t, s); got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// takeOne takes one block and returns it.
func takeOne(s *hub.Subscriber) string {
	blocks, state := s.Take(nil, 1)
	if state == hub.Behind {
		synctest.Wait()
		blocks, _ = s.Take(nil, 1)
	}
	return string(bytes.Join(blocks, nil))
}

func from(e event.Event) hub.Start { return hub.Start{Cursor: e.Cursor().String()} }
