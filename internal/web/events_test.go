package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/nodetest"
)

func TestEventsRefusesBadRequests(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	rows := map[string]refusal{
		"no topic":     refuse(400, get("/events"), "topic", "missing", "GET /events?topic=news"),
		"empty topic":  refuse(400, get("/events?topic="), "topic", "missing"),
		"101 topics":   refuse(400, get("/events?topic=t"+topicNumbers(101)), "101", "100"),
		"101 of both":  refuse(400, get("/events?topic=*&topic=t"+topicNumbers(100)), "101", "selectors"),
		"part of one":  refuse(400, get("/events?topic=a&topic=b*"), "selector", "segment"),
		"** within":    refuse(400, get("/events?topic=**.a"), "selector", "last"),
		"three stars":  refuse(400, get("/events?topic=***"), "selector"),
		"hub's own":    refuse(400, get("/events?topic=hub.*"), "selector", "reserved"),
		"empty part":   refuse(400, get("/events?topic=a..*"), "empty segment"),
		"long query":   refuse(400, get("/events?topic=a&x="+strings.Repeat("x", 7<<10)), "query", "7168"),
		"bad escape":   refuse(400, get("/events?topic=a%"), "query"),
		"since, last":  refuse(400, get("/events?topic=a&since=all&last=1"), "since", "last", "exclude"),
		"with cursor":  refuse(400, get("/events?topic=a&since=never", "Last-Event-ID: x"), "since", "never"),
		"cut preamble": refuse(400, get("/events?topic=a&envelope"+"=%zz"), "query"),
	}
	for name, values := range map[string]string{
		"topic":     "a%20b a%2Fb a..b hub hub.open %ff %00 a%0d%0aid:1",
		"since":     "0 0s -5m 10 yesterday ALL 1d 1763820000000-0 99999999999999h",
		"last":      "0 -1 10001 1.5 x 0x10 99999999999999999999",
		"envelope":  "1 yes TRUE event",
		"heartbeat": "true 15s 1 Event",
	} {
		for value := range strings.FieldsSeq(values) {
			query := "topic=a&" + name + "=" + value
			rows[query] = refuse(400, get("/events?"+query), name)
		}
	}
	expectRefusals(t, n, rows)
}

func topicNumbers(n int) (query string) {
	for i := range n {
		query += "&topic=" + strconv.Itoa(i)
	}
	return strings.TrimPrefix(query, "&topic=")
}

// A selector brings the events of all topics that it matches, those too that
// are new, in one order and each once; and what a client missed when it comes
// back. Such a stream goes on when its topics have ended.
func TestEventsOfSelectors(t *testing.T) { onWriters(t, eventsOfSelectors) }

func eventsOfSelectors(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	n.publish(t, "quotes.A", "before")
	s := n.open(t, "?topic=quotes.*&topic=news.**&topic=quotes.A&topic=other&envelope=true")
	s.opened(false)
	var want []string
	for i, topic := range []string{"quotes.A", "quotes.B", "news.a.b.c", "quotes.A.x", "other", "news", "quotes.C"} {
		id := n.publish(t, topic, strconv.Itoa(i))
		if topic != "quotes.A.x" && topic != "news" {
			want = append(want, fmt.Sprintf("%s %d %s", topic, i, id))
		}
	}
	for _, line := range want {
		e := s.next()
		var got event.Envelope
		if err := json.Unmarshal([]byte(e.Data), &got); err != nil || fmt.Sprintf("%s %s %s", got.Topic, strings.Trim(string(got.Data), `"`), e.ID) != line {
			t.Errorf("got %q, want %s (%v)", e, line, err)
		}
	}
	cursor := s.close()
	n.publish(t, "news.new", "missed")
	n.do(t, endOf("quotes.B", ""))
	n.publish(t, "elsewhere", "unheard")
	again := n.open(t, "?topic=quotes.*&topic=news.**", "Last-Event-ID: "+cursor)
	again.opened(true)
	again.expect("missed")
	if e := again.next(); e.Name != "hub.end" || e.Data != `{"topic":"quotes.B","status":"completed"}` {
		t.Errorf("got %q", e)
	}
	alone := n.open(t, "?topic=*.B", "Last-Event-ID: "+again.close()) // all that it matches has ended
	alone.opened(true)
	n.publish(t, "news.B", "on")
	alone.expect("on")
}

func TestEventsTakesAHundredTopics(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	s := n.open(t, "?topic=0"+topicNumbers(100)[1:]+"&topic=7&topic=7") // those count once
	s.opened(false)
	n.publish(t, "99", "x")
	n.publish(t, "7", "y")
	n.publish(t, "0", "z")
	s.expect("x", "y", "z")
}

var firstBlock = regexp.MustCompile(`^HTTP/1\.1 200 OK\r\n((?:[A-Za-z-]+: [^\r\n]*\r\n)+)\r\n` +
	`[0-9a-f]+\r\nretry: (\d+)\nid: ([A-Za-z0-9_-]{2,64})\nevent: hub\.open\ndata: \{"resumed":(true|false)\}\n\n\r\n$`)

// A browser that is cut off has a cursor as soon as it has anything: headers
// and first block are one write.
func TestFirstBlockComesInOnePiece(t *testing.T) { onWriters(t, firstBlockComesInOnePiece) }

func firstBlockComesInOnePiece(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	retries := map[string]bool{}
	cursor := n.publish(t, "news", "1")
	for i := range 20 {
		header, resumed := "Accept: text/event-stream", "false"
		if i%2 == 1 {
			header, resumed = "Last-Event-ID: "+cursor, "true"
		}
		conn := n.dial(t)
		send(t, conn, streamRequest("?topic=news", header, "Origin: https://page.example"))
		piece := make([]byte, 64<<10)
		size, err := conn.Read(piece)
		if err != nil {
			t.Fatal(err)
		}
		m := firstBlock.FindStringSubmatch(string(piece[:size]))
		if m == nil || m[4] != resumed {
			t.Fatalf("the first piece is %q", piece[:size])
		}
		for _, line := range []string{"Content-Type: text/event-stream", "Cache-Control: no-store, no-transform", "X-Accel-Buffering: no",
			"X-Content-Type-Options: nosniff", "Access-Control-Allow-Origin: *", "Transfer-Encoding: chunked"} {
			if strings.Count("\r\n"+m[1], "\r\n"+line+"\r\n") != 1 {
				t.Errorf("no %q in %q", line, m[1])
			}
		}
		if strings.Contains(m[1], "Content-Encoding") || strings.Contains(m[1], "Credentials") {
			t.Errorf("headers %q", m[1])
		}
		if ms, err := strconv.Atoi(m[2]); err != nil || ms < 1500 || ms > 4500 {
			t.Errorf("retry: %s", m[2])
		}
		retries[m[2]] = true
		_ = conn.Close()
	}
	if len(retries) < 3 {
		t.Errorf("20 streams were told to come back after %v ms", retries)
	}
}

func TestEnvelopes(t *testing.T) { onWriters(t, envelopes) }

func envelopes(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	s := n.open(t, "?topic=a&topic=b&envelope=true")
	s.opened(false)
	for _, c := range []struct{ body, event, key, data string }{
		{`{"topic":"a","data":"two\nlines"}`, "message", "", `"two\nlines"`},
		{`{"topic":"b","event":"quote","key":"AAPL","data":{ "p" : 1.50 }}`, "quote", "AAPL", `{"p":1.50}`},
		{`{"topic":"a","event":"message","data":"\u0000\u2028<\ud83d\ude00"}`, "message", "", "\"\\u0000\u2028<\U0001f600\""},
		{`{"topic":"a","data":false}`, "message", "", `false`},
	} {
		sent := time.Now().Add(-time.Second)
		r := decode[receipt](t, n.do(t, postTo("", jsonType, c.body)))
		e := s.next()
		var v struct {
			Topic, ID, Time, Event string
			Key                    *string
			Data                   json.RawMessage
		}
		d := json.NewDecoder(strings.NewReader(e.Data))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%q: %v", e.Data, err)
		}
		at, err := time.Parse(time.RFC3339Nano, v.Time)
		if err != nil || at.Before(sent) || at.After(time.Now().Add(time.Second)) || !strings.HasSuffix(v.Time, "Z") {
			t.Errorf("time %q (%v)", v.Time, err)
		}
		if key := v.Key; key != nil && *key != c.key || key == nil && c.key != "" {
			t.Errorf("key of %q, want %q", e.Data, c.key)
		}
		if e.Name != "message" || e.ID != r.ID || v.ID != r.ID || v.Topic != r.Topic || v.Event != c.event || string(v.Data) != c.data {
			t.Errorf("%s became %q", c.body, e)
		}
	}
}

// A stream that the hub ends says when to come back, and breaks off: a clean
// end would keep clients on fetch away for ever.
func TestStreamsBreakOffWhenTheNodeCloses(t *testing.T) {
	onWriters(t, streamsBreakOffWhenTheNodeCloses)
}

func streamsBreakOffWhenTheNodeCloses(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	raw := n.dial(t)
	send(t, raw, streamRequest("?topic=news"))
	s := n.open(t, "?topic=news")
	s.opened(false)
	n.publish(t, "news", "last")
	s.expect("last")
	n.awaitOpen(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.Streams.Close(ctx, 0); err != nil {
		t.Fatal(err)
	}
	text := rest(t, raw)
	if !regexp.MustCompile(`data: last\n\n\r\n[0-9a-f]+\r\nretry: \d{4}\n\r\n$`).MatchString(text) {
		t.Errorf("the stream ends with %q", text[max(0, len(text)-80):])
	}
	if _, err := s.events.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a client on fetch takes the end for %v", err)
	}
	if retry := s.events.Retry(); retry < 1500*time.Millisecond || retry > 4500*time.Millisecond {
		t.Errorf("retry %v", retry)
	}
	n.expectSentAway(t)
}

// A full node answers as one that closes: anything but 200 would end a
// browser's stream for good.
func TestAFullNodeSendsStreamsAway(t *testing.T) { onWriters(t, aFullNodeSendsStreamsAway) }

func aFullNodeSendsStreamsAway(t *testing.T, o nodetest.Options) {
	o.Stream.MaxStreams = 1
	n := startNode(t, o)
	s := n.open(t, "?topic=news")
	s.opened(false)
	n.expectSentAwayFor(t, 5*1500*time.Millisecond, 5*4500*time.Millisecond)
	if n.Streams.Open() != 1 {
		t.Errorf("%d streams are open", n.Streams.Open())
	}
	s.close()
	n.awaitOpen(t, 0)
	n.open(t, "?topic=news").opened(false)
}

func (n *node) awaitOpen(t *testing.T, streams int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); n.Streams.Open() != streams; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d streams are open, want %d", n.Streams.Open(), streams)
		}
	}
}

// expectSentAway: a new stream gets nothing but the advice when to come back.
func (n *node) expectSentAway(t *testing.T) {
	t.Helper()
	n.expectSentAwayFor(t, 1500*time.Millisecond, 4500*time.Millisecond)
}

func (n *node) expectSentAwayFor(t *testing.T, from, to time.Duration, header ...string) {
	t.Helper()
	conn := n.dial(t)
	send(t, conn, streamRequest("?topic=news", append(header, "Origin: https://page.example")...))
	text := rest(t, conn)
	advice := regexp.MustCompile(`^HTTP/1\.1 200 OK\r\n(?s:.*)\r\n\r\n[0-9a-f]+\r\nretry: (\d+)\n\r\n$`).FindStringSubmatch(text)
	if advice == nil || !strings.Contains(text, "\r\nContent-Type: text/event-stream\r\n") || !strings.Contains(text, "\r\nAccess-Control-Allow-Origin: *\r\n") {
		t.Fatalf("sent away with %q", text)
	}
	if ms, err := strconv.Atoi(advice[1]); err != nil || ms < int(from.Milliseconds()) || ms > int(to.Milliseconds()) {
		t.Errorf("sent away for %s ms, not %v to %v", advice[1], from, to)
	}
}

func TestEventsMayBeReadByAnyPage(t *testing.T) { onWriters(t, eventsMayBeReadByAnyPage) }

func eventsMayBeReadByAnyPage(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	s := n.open(t, "?topic=news", "Origin: https://page.example", "Cookie: a=b")
	if got := s.header.Get("Access-Control-Allow-Origin"); got != "*" || s.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("a stream is allowed to %q", got)
	}
	for _, path := range []string{"/events", "/topics?limit=x", "/topics/nothing", "/healthz"} {
		a := n.do(t, get(path, "Origin: https://page.example"))
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "*" || a.status == http.StatusInternalServerError {
			t.Errorf("%s: %d, allowed to %q", path, a.status, got)
		}
	}
}
