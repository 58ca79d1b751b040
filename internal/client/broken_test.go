package client_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"tickertape/internal/client"
)

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

// Answers that break off wherever they can, and the cursor that the client
// comes back with.
var halfAnswers = map[string]string{
	"":                                "c0",
	"HTTP/1.1 200 OK\r\nContent-Ty":   "c0",
	"garbage\r\n\r\n":                 "c0",
	streamHead + "\r\n":               "c0",
	streamHead + "\r\n\ufeff":         "c0",
	streamHead + "\r\nid: c1\n":       "c0",
	streamHead + "\r\nid: c1\ndata: ": "c0",
	streamHead + "Transfer-Encoding: chunked\r\n\r\n":                                                                "c0",
	streamHead + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n":                                                         "c0",
	streamHead + "Transfer-Encoding: chunked\r\n\r\nA\r\nretry: 20\n\r\n0\r\n":                                       "c0",
	streamHead + "Content-Length: 9999\r\n\r\nretry: 20\n\nid: c":                                                    "c0",
	streamHead + "Content-Encoding: gzip\r\n\r\n\x1f\x8b":                                                            "c0",
	streamHead + "\r\nretry: 20\n" + openAnew:                                                                        "c1",
	streamHead + "\r\nretry: 20\n" + openAnew + event2 + event3[:60]:                                                 "c2",
	streamHead + "\r\nretry: 20\n" + openAnew + event2[:len(event2)-1]:                                               "c1",
	"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: 99\r\n\r\n{\"det": "c0",
}

const openAnew = "id: c1\nevent: hub.open\ndata: {}\n\n"

func TestListenComesBackAfterHalfAnswers(t *testing.T) {
	t.Parallel()
	for half, want := range halfAnswers {
		cursors, cursor, err := converse(t,
			streamHead+"\r\nretry: 20\n", // so that the client comes back soon
			half,
			streamHead+"\r\nretry: 20\n"+event3,
			"HTTP/1.1 204 No Content\r\n\r\n")
		if err != nil || cursor != "c3" || !slices.Equal(cursors, []string{"c0", "c0", want, "c3"}) {
			t.Errorf("%q: ended with %v at %q, having come with %q", half, err, cursor, cursors)
		}
	}
}

// converse runs Listen against a server that gives each connection one answer
// and closes it. It returns the cursors that the client came with.
func converse(t *testing.T, answers ...string) (cursors []string, cursor string, err error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for _, answer := range answers {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				cursors = append(cursors, r.Header.Get("Last-Event-ID"))
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	})
	c := newClient(t, "http://"+listener.Addr().String(), client.Options{})
	cursor, err = c.Listen(t.Context(), client.ListenOptions{Topics: []string{"news"}, Cursor: "c0"}, client.Handler{})
	_ = listener.Close()
	serving.Wait()
	return cursors, cursor, err
}

// TestListenRefusesOddIDs: an id goes into a header and into what a user may
// paste into a shell.
func TestListenRefusesOddIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a\x01b", "x; touch y", "$(x)", "é"} {
		cursors, cursor, err := converse(t, streamHead+"\r\nid: "+id+"\nevent: hub.open\ndata: {}\n\n")
		if err == nil || cursor != "c0" || len(cursors) != 1 {
			t.Errorf("%q: ended with %v at %q, having come with %q", id, err, cursor, cursors)
		}
	}
}
