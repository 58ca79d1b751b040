package chat_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tickertape/internal/chat"
	"tickertape/internal/client"
	"tickertape/internal/event"
)

// lingering is where net/http waits for half a second before it closes a
// connection whose body it has not read: it ends by itself.
const lingering = "net/http.(*conn).closeWriteAndWait"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(lingering)) }

// inMemory carries requests to a handler without a network, for tests in which
// time is not real.
type inMemory struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	body, in := io.Pipe()
	context.AfterFunc(r.Context(), func() { _ = body.CloseWithError(r.Context().Err()) })
	w := &memoryWriter{header: http.Header{}, body: in, begun: make(chan int, 1)}
	go func() {
		m.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK)
		_ = in.Close()
	}()
	select {
	case status := <-w.begun:
		return &http.Response{StatusCode: status, Header: w.header.Clone(), Body: body, ProtoMajor: 1, ProtoMinor: 1, Request: r}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

type memoryWriter struct {
	header http.Header
	body   *io.PipeWriter
	begun  chan int
	once   sync.Once
}

func (w *memoryWriter) Header() http.Header    { return w.header }
func (w *memoryWriter) WriteHeader(status int) { w.once.Do(func() { w.begun <- status }) }
func (w *memoryWriter) Flush()                 { w.WriteHeader(http.StatusOK) }
func (w *memoryWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// said is a message that a hub got, and when.
type said struct {
	event.Message
	at time.Duration
}

// scribe is a hub without a network that takes what it is sent, until end is
// closed: then the topic is cancelled.
type scribe struct {
	t     *testing.T
	begin time.Time
	end   chan struct{}
	away  bool // connections are refused

	mu   sync.Mutex
	said []said
}

func newScribe(t *testing.T) *scribe {
	return &scribe{t: t, begin: time.Now(), end: make(chan struct{})}
}

// RoundTrip implements http.RoundTripper.
func (s *scribe) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.away {
		_ = r.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	read := make(chan int)
	go func() { read <- s.read(r.Body) }()
	select {
	case n := <-read:
		_ = r.Body.Close()
		return answered(http.StatusOK, `{"published":`+strconv.Itoa(n)+`,"last_id":"c"}`), nil
	case <-s.end:
		go func() { _ = r.Body.Close(); <-read }()
		return answered(http.StatusConflict, `{"detail":"it has ended","topic_status":"cancelled"}`), nil
	}
}

func (s *scribe) read(body io.Reader) (n int) {
	for lines := bufio.NewScanner(body); lines.Scan(); n++ {
		m, err := event.DecodeMessage(lines.Bytes(), event.Defaults{})
		if err != nil {
			s.t.Errorf("line %s: %v", lines.Text(), err)
		}
		s.mu.Lock()
		s.said = append(s.said, said{m, time.Since(s.begin)})
		s.mu.Unlock()
	}
	return n
}

func answered(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/problem+json"}},
		Body: io.NopCloser(strings.NewReader(body)), ProtoMajor: 1, ProtoMinor: 1}
}

// heard returns what was said so far.
func (s *scribe) heard() []said {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]said(nil), s.said...)
}

// texts returns the pieces of text among messages.
func texts(messages []said) (pieces []said) {
	for _, m := range messages {
		if m.Name == "" && !m.EndOnly {
			pieces = append(pieces, m)
		}
	}
	return pieces
}

func joined(messages []said) string {
	var b strings.Builder
	for _, m := range texts(messages) {
		b.WriteString(m.Data.Text)
	}
	return b.String()
}

// newChat returns one whose model and hub are in memory.
func newChat(t *testing.T, hub http.RoundTripper, model http.Handler, o chat.Options) *chat.Chat {
	t.Helper()
	c, err := client.New("http://hub.test", client.Options{Transport: hub})
	if err != nil {
		t.Fatal(err)
	}
	o.BaseURL, o.Transport = "http://model.test/v1", inMemory{model}
	asker, err := chat.New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return asker
}

// last describes how the messages end.
func last(messages []said) string {
	if len(messages) == 0 {
		return "nothing"
	}
	m := messages[len(messages)-1]
	return fmt.Sprintf("%s %s %s", m.Name, m.Data.Text, m.End)
}
