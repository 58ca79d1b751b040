package web_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/sse"
)

// patience is how long a test waits for what must come at once.
const patience = 10 * time.Second

// listener is an open GET /events.
type listener struct {
	t      *testing.T
	header http.Header
	conn   net.Conn
	events *sse.Decoder
}

// open asks for a stream on a connection of its own.
func (n *node) open(t *testing.T, query string, header ...string) *listener {
	t.Helper()
	conn := n.dial(t)
	send(t, conn, streamRequest(query, header...))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		t.Fatalf("%s: %d %s", query, response.StatusCode, body)
	}
	return &listener{t, response.Header, conn, sse.NewDecoder(response.Body, 8<<20)}
}

func streamRequest(query string, header ...string) string {
	lines := append([]string{"GET /events" + query + " HTTP/1.1", "Host: hub"}, header...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func (n *node) dial(t *testing.T) net.Conn {
	t.Helper()
	return dialTo(t, n.Addr)
}

func dialTo(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// next returns the stream's next event.
func (s *listener) next() sse.Event {
	s.t.Helper()
	e, err := s.events.Next()
	if err != nil {
		s.t.Fatalf("the stream ended: %v", err)
	}
	return e
}

// opened takes the stream's first event and returns its id.
func (s *listener) opened(resumed bool) string {
	s.t.Helper()
	e := s.next()
	if want := fmt.Sprintf(`{"resumed":%t}`, resumed); e.Name != "hub.open" || e.Data != want || e.ID == "" {
		s.t.Fatalf("the stream opens with %q, want hub.open %s", e, want)
	}
	return e.ID
}

// expect takes as many events as there are data and compares them.
func (s *listener) expect(data ...string) (last sse.Event) {
	s.t.Helper()
	var got []string
	for range data {
		last = s.next()
		if strings.HasPrefix(last.Name, "hub.") {
			s.t.Fatalf("behind %q: %q, want %q", got, last, data)
		}
		got = append(got, last.Data)
	}
	if !slices.Equal(got, data) {
		s.t.Fatalf("got %q, want %q", got, data)
	}
	return last
}

// gap is the data of a hub.gap event.
type gap struct {
	Topic     string  `json:"topic"`
	Reason    string  `json:"reason"`
	After     *string `json:"after"`
	ResumedAt string  `json:"resumed_at"`
}

func (s *listener) gap() (gap, sse.Event) {
	s.t.Helper()
	e := s.next()
	var g gap
	d := json.NewDecoder(strings.NewReader(e.Data))
	d.DisallowUnknownFields()
	if err := d.Decode(&g); e.Name != "hub.gap" || err != nil {
		s.t.Fatalf("got %q, want a hub.gap (%v)", e, err)
	}
	return g, e
}

// close breaks the connection off and returns the cursor that a browser
// would come back with.
func (s *listener) close() string {
	_ = s.conn.Close()
	return s.events.LastID()
}

// rest reads what is left of a connection, however it ends.
func rest(t *testing.T, conn net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("the connection stays open; read so far: %q", b)
	}
	return string(b)
}
