package web_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// upload is a POST /publish whose body is being sent.
type upload struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func (n *node) upload(t *testing.T, query, contentType string, header ...string) *upload {
	t.Helper()
	conn := n.dial(t)
	return startUpload(t, conn, query, contentType, header...)
}

func startUpload(t *testing.T, conn net.Conn, query, contentType string, header ...string) *upload {
	t.Helper()
	header = append(header, "Host: hub", "Content-Type: "+contentType, "Transfer-Encoding: chunked")
	send(t, conn, "POST /publish"+query+" HTTP/1.1\r\n"+strings.Join(header, "\r\n")+"\r\n\r\n")
	return &upload{t, conn, bufio.NewReader(conn)}
}

func (u *upload) send(text string) {
	u.t.Helper()
	send(u.t, u.conn, fmt.Sprintf("%x\r\n%s\r\n", len(text), text))
}

func (u *upload) end() { send(u.t, u.conn, "0\r\n\r\n") }

func (u *upload) answer() answer {
	u.t.Helper()
	response, err := http.ReadResponse(u.r, nil)
	if err != nil {
		u.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	if response.ContentLength != int64(len(body)) {
		u.t.Errorf("the answer has %d bytes and announces %d", len(body), response.ContentLength)
	}
	response.Header.Set("Connection", map[bool]string{true: "close", false: "keep-alive"}[response.Close])
	return answer{response.StatusCode, response.Header, body}
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

func TestStreamIsPublishedAsItArrives(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	s := n.open(t, "?topic=t")
	s.opened(false)
	u := n.upload(t, "?topic=t", ndjsonType)
	for i := range 20 {
		u.send(fmt.Sprintf("{\"data\":%d}\n{\"dat", 2*i))
		s.expect(fmt.Sprint(2 * i))
		u.send(fmt.Sprintf("a\":%d}\n", 2*i+1))
		s.expect(fmt.Sprint(2*i + 1))
	}
	u.end()
	// Where a body in chunks ends, not everybody on the way may have seen.
	a := u.answer()
	if got := decode[streamed](t, a); a.header.Get("Connection") != "close" || got.Published != 40 {
		t.Errorf("%v %s", a.header, a.body)
	}
}

// TestStreamLeavesConnection: a body of a known length that came to its end leaves
// the connection as it was.
func TestStreamLeavesConnection(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	conn := n.dial(t)
	u := &upload{t, conn, bufio.NewReader(conn)}
	for i, x := range []struct{ media, body string }{{ndjsonType, "{\"data\":1}\n{\"data\":2}\n"}, {sseType, "data: 1\n\n"}, {ndjsonType, ""}} {
		send(t, conn, fmt.Sprintf("POST /publish?topic=t HTTP/1.1\r\nHost: hub\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", x.media, len(x.body), x.body))
		a := u.answer()
		if got := decode[streamed](t, a); a.header.Get("Connection") != "keep-alive" || got.Published != 2-i {
			t.Errorf("request %d: %v %s", i, a.header, a.body)
		}
	}
}

func TestStreamNumbersMessages(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	post := func(seq int, body string) streamed {
		return decode[streamed](t, n.do(t, postTo(fmt.Sprintf("?topic=t&producer=p&seq=%d", seq), ndjsonType, body)))
	}
	line := func(i int) string { return fmt.Sprintf("{\"data\":%d}\n", i) }
	first := post(5, line(5)+"\n"+line(6))
	if first.Published != 2 || first.Duplicates != 0 {
		t.Errorf("first: %+v", first)
	}
	if again := post(5, line(5)+line(6)+line(7)); again.Published != 1 || again.Duplicates != 2 || again.LastID != n.lastID(t) {
		t.Errorf("again: %+v", again)
	}
	if all := post(7, line(7)); all.Published != 0 || all.Duplicates != 1 || all.LastID != n.lastID(t) {
		t.Errorf("a duplicate alone: %+v", all)
	}
	if texts := n.texts(t); texts != "t 5, t 6, t 7" {
		t.Errorf("stored %q", texts)
	}
}

// What arrived in whole lines is published, however the rest is cut off.
func TestStreamCutOff(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*net.TCPConn) error{
		"half closed": (*net.TCPConn).CloseWrite,
		"closed":      (*net.TCPConn).Close,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, nodetest.Options{})
			u := n.upload(t, "?topic=t", ndjsonType)
			u.send("{\"data\":1}\n{\"data\":2}\n{\"data\":3}")
			if err := cut(u.conn.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			if name == "half closed" {
				expectStop(t, n, u.answer(), http.StatusBadRequest, "the body broke off before", "t 1, t 2")
			}
			until(t, "two lines are stored", func() bool { return n.texts(t) == "t 1, t 2" })
		})
	}
}

func TestStreamsInAreLimited(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Web: web.Options{Limits: web.Limits{StreamsIn: 1}}})
	first := n.upload(t, "?topic=t", ndjsonType)
	first.send("{\"data\":1}\n")
	until(t, "the first is open", func() bool { return n.texts(t) == "t 1" })
	second := n.upload(t, "?topic=t", sseType)
	second.send("data: 2\n\n")
	a := second.answer()
	if p := expectProblem(t, a, http.StatusServiceUnavailable, "streams"); p.Stored != "no" || *p.Published != 0 || a.header.Get("Retry-After") == "" {
		t.Errorf("the second is answered %s", a.body)
	}
	first.end()
	first.answer()
	until(t, "there is room again", func() bool { return n.do(t, postTo("?topic=t", ndjsonType, "")).status == http.StatusOK })
}

// A node that ends lets no stream hold it up, and says how far each came.
func TestEndStreams(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	u := n.upload(t, "?topic=t", ndjsonType)
	u.send("{\"data\":1}\n{\"data\":2}\n{\"da")
	until(t, "the lines are stored", func() bool { return n.texts(t) == "t 1, t 2" })
	n.Web.EndStreams()
	late := n.upload(t, "?topic=t", ndjsonType)
	late.send("{\"data\":3}\n")
	for i, u := range []*upload{u, late} {
		a := u.answer()
		p := expectProblem(t, a, http.StatusServiceUnavailable, "draining")
		if p.Stored != "no" || *p.Published != 2-2*i || *p.Item != 2-2*i || a.header.Get("Retry-After") == "" || a.header.Get("Connection") != "close" {
			t.Errorf("stream %d is answered %v %s", i, a.header, a.body)
		}
	}
	if texts := n.texts(t); texts != "t 1, t 2" {
		t.Errorf("stored %q", texts)
	}
}

// deadlines is a listener whose connections note their read deadlines.
type deadlines struct {
	net.Listener
	mu   sync.Mutex
	last time.Time
}

type timedConn struct {
	net.Conn
	all *deadlines
}

func (d *deadlines) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	return timedConn{c, d}, err
}

func (c timedConn) SetReadDeadline(at time.Time) error {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.all.last = at
	return c.Conn.SetReadDeadline(at)
}

// A stream may be silent for as long as it likes: no deadline is left that
// would end it. Those before it, and of other bodies, are none of its business.
func TestStreamHasNoDeadline(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	server := httptest.NewUnstartedServer(n.Web)
	watched := &deadlines{Listener: server.Listener}
	server.Listener = watched
	server.Config.ReadHeaderTimeout = 10 * time.Second
	server.Start()
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	u := startUpload(t, conn, "?topic=t", ndjsonType)
	u.send("{\"data\":1}\n")
	until(t, "the line is stored", func() bool { return n.texts(t) == "t 1" })
	watched.mu.Lock()
	if !watched.last.IsZero() {
		t.Errorf("the stream would end at %v", watched.last)
	}
	watched.mu.Unlock()
	u.end()
	var got streamed
	if err := json.Unmarshal(u.answer().body, &got); err != nil || got.Published != 1 {
		t.Errorf("answered %+v, %v", got, err)
	}
}

// An open stream that says DONE is answered at once, whatever follows.
func TestEndMarkEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, mark := range []string{"data: [DONE]\n\n", "event: response.completed\ndata: {}\n\n"} {
		n := startNode(t, nodetest.Options{})
		u := n.upload(t, "?topic=t", sseType)
		u.send("data: 1\n\n" + mark)
		got := decode[streamed](t, u.answer())
		if want := 1 + strings.Count(mark, "{}"); got.Published != want || len(n.stored(t)) != want {
			t.Errorf("%q is answered %+v", mark, got)
		}
	}
}
