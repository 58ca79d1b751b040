package web_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
)

// A request that panics costs itself only, is logged and counted.
func TestAPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	log := &faults{}
	s := idleServer(t, faultyBus{}, slog.New(log)) // no bus behind it
	a := serve(s, httptest.NewRequest(http.MethodGet, "/topics/news/messages", nil))
	expectProblem(t, a, http.StatusInternalServerError, "its log says why")
	if len(log.all) == 0 || !strings.Contains(log.all[0], "panic") || s.Panics() != 1 {
		t.Errorf("logged %q, %d counted", log.all, s.Panics())
	}
}

// broken is a body that whoever reads it trips over once.
type broken struct{ over bool }

func (b *broken) Read([]byte) (int, error) {
	if b.over {
		return 0, io.EOF
	}
	b.over = true
	panic("a broken body")
}

// So does a stream in, whose body another goroutine reads.
func TestAPanicEndsOneStreamIn(t *testing.T) {
	t.Parallel()
	log := &faults{}
	s := idleServer(t, membus.New(membus.Options{}), slog.New(log))
	body := io.MultiReader(strings.NewReader("{\"data\":1}\n"), new(broken))
	expectProblem(t, serveStream(s, t.Context(), body), http.StatusInternalServerError, "its log says why")
	if s.Panics() != 1 {
		t.Errorf("logged %q, %d counted", log.all, s.Panics())
	}
}

// A stream that panics ends, whoever writes it, and no other one.
func TestAPanicEndsOneStream(t *testing.T) { onWriters(t, panicEndsOneStream) }

func panicEndsOneStream(t *testing.T, o nodetest.Options) {
	o.Stream.Delay = func(time.Duration) { panic("a broken clock") } // of live events
	n, log := startLogged(t, o)
	bad, good := n.open(t, "?topic=bad"), n.open(t, "?topic=good&last=1")
	bad.opened(false)
	good.opened(false)
	n.publish(t, "bad", "one")
	ended := log.until(t, 1, "stream ended")
	log.until(t, 1, "panic")
	if first := ended[0]["first_topics"]; n.Web.Panics() != 1 || len(ended) != 1 || len(first.([]any)) != 1 || first.([]any)[0] != "bad" {
		t.Errorf("%d panics, %v", n.Web.Panics(), ended)
	}
	for limit := time.Now().Add(patience); n.Streams.Open() != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d streams are open", n.Streams.Open())
		}
	}
	good.close()
}
