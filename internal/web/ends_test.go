package web_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
)

// ending is the answer to an end or a cancel.
type ending struct {
	Topic, Status, ID string
	Duplicate         bool
}

func endOf(topic, body string, header ...string) request {
	return request{method: http.MethodPost, path: "/topics/" + topic + "/end", header: header, body: body}
}

func cancelOf(topic string, header ...string) request {
	return request{method: http.MethodPost, path: "/topics/" + topic + "/cancel", header: header}
}

// rulesFor makes the node's rules of pairs of a selector and a kind.
func rulesFor(t testing.TB, pairs ...string) membus.Options {
	t.Helper()
	var rules event.Rules
	for i := 0; i < len(pairs); i += 2 {
		selector, err := event.ParseSelector(pairs[i])
		if err != nil {
			t.Fatal(err)
		}
		kind, err := event.ParseKind(pairs[i+1])
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, event.Rule{Selector: selector, Kind: kind, Keys: 2})
	}
	return membus.Options{Rules: rules}
}

// A topic ends by a message, or by an address of its own, once; its end is
// what the answer names.
func TestTopicEnds(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	for topic, row := range map[string]struct {
		request
		status event.Status
		data   string // of the message before the end
	}{
		"a": {postTo("", jsonType, `{"topic":"a","data":"bye","end":true}`), event.Completed, "bye"},
		"b": {postTo("", jsonType, `{"topic":"b","end":"failed"}`), event.Failed, ""},
		"c": {postTo("?topic=c&event=e&key=k", jsonType, `{"end":"cancelled"}`), event.Cancelled, ""},
		"d": {postTo("?topic=d&end=completed", "", "bye"), event.Completed, "bye"},
		"e": {postTo("?topic=e&end=true&event=x", "text/plain", ""), event.Completed, ""},
		"f": {postTo("?topic=f&end=failed", "application/x-www-form-urlencoded", "bye"), event.Failed, "bye"},
		"g": {endOf("g", ""), event.Completed, ""},
		"h": {endOf("h", `{"status":"failed"}`, "Content-Type: application/json"), event.Failed, ""},
		"i": {endOf("i", ` {"status":"cancelled"}`, "Content-Type: application/x-www-form-urlencoded"), event.Cancelled, ""},
		"j": {endOf("j", `{}`), event.Completed, ""},
		"k": {cancelOf("k"), event.Cancelled, ""},
	} {
		a := n.do(t, row.request)
		r := decode[ending](t, a)
		if r.Topic != topic || r.Duplicate || r.Status != "" && r.Status != string(row.status) || (r.Status == "") != (row.path[:8] == "/publish") {
			t.Errorf("%s: %s", topic, a.body)
		}
		end := n.find(t, r.ID)
		if end.End != row.status || end.Topic != event.Topic(topic) {
			t.Errorf("%s: the answer names %v, want an end: %s", topic, end, row.status)
		}
		p := expectProblem(t, n.do(t, postTo("?topic="+topic, "", "more")), http.StatusConflict, "has ended", string(row.status))
		if p.TopicStatus != string(row.status) {
			t.Errorf("%s: topic_status %q", topic, p.TopicStatus)
		}
		var history []string
		for _, e := range n.stored(t) {
			if e.Topic == event.Topic(topic) && e.End == "" {
				history = append(history, e.Data.Text)
			}
		}
		if strings.Join(history, ",") != row.data {
			t.Errorf("%s: before the end stands %q, want %q", topic, history, row.data)
		}
	}
}

// An end is said once; its retry is told apart from another one. A cancel may
// come as often as anyone likes, also to what has ended otherwise.
func TestEndsAgain(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	n.publish(t, "a", "1")
	first := decode[ending](t, n.do(t, endOf("a", "", "Idempotency-Key: k")))
	if again := decode[ending](t, n.do(t, endOf("a", "", "Idempotency-Key: k"))); again.ID != first.ID || !again.Duplicate || again.Status != "completed" {
		t.Errorf("again: %+v, first %+v", again, first)
	}
	expectProblem(t, n.do(t, endOf("a", `{"status":"failed"}`, "Idempotency-Key: k")), http.StatusUnprocessableEntity, "idempotency_key")
	p := expectProblem(t, n.do(t, endOf("a", `{"status":"failed"}`)), http.StatusConflict, "completed")
	if p.TopicStatus != "completed" {
		t.Errorf("ended twice: %+v", p)
	}
	for _, topic := range []string{"a", "b", "b"} {
		a := n.do(t, cancelOf(topic))
		want := map[string]string{"a": "completed", "b": "cancelled"}[topic]
		if c := decode[ending](t, a); c.Topic != topic || c.Status != want || c.Duplicate {
			t.Errorf("cancel of %s: %s", topic, a.body)
		}
	}
	var ends int
	for _, e := range n.stored(t) {
		if e.End != "" {
			ends++
		}
	}
	if ends != 2 {
		t.Errorf("%d ends of two topics", ends)
	}
}

func TestEndsRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Bus: rulesFor(t, "quotes.*", "latest", "cursors.**", "ephemeral")})
	object := func(body string) request { return postTo("?topic=news", jsonType, body) }
	rows := map[string]refusal{
		"status":                 refuse(400, endOf("news", `{"status":"done"}`), "status", "done", "cancelled"),
		"producer_lost":          refuse(400, endOf("news", `{"status":"producer_lost"}`), "status"),
		"status: true":           refuse(400, endOf("news", `{"status":true}`), "status", "string"),
		"empty status":           refuse(400, endOf("news", `{"status":""}`), "status"),
		"other field":            refuse(400, endOf("news", `{"state":"failed"}`), "unknown", "state"),
		"text":                   refuse(400, endOf("news", `failed`), "body", `{"status":"failed"}`),
		"list":                   refuse(400, endOf("news", `[]`), "body", `{"status":"failed"}`),
		"cut":                    refuse(400, endOf("news", `{"status"`), "JSON"),
		"large":                  refuse(413, endOf("news", strings.Repeat(" ", 1025)), "1 KiB"),
		"type":                   refuse(415, endOf("news", `{}`, "Content-Type: text/event-stream"), "application/json"),
		"zipped":                 refuse(415, endOf("news", `{}`, "Content-Encoding: gzip"), "Content-Encoding"),
		"query":                  refuse(400, request{method: "POST", path: "/topics/news/end?status=failed"}, "query", "body"),
		"two keys":               refuse(400, endOf("news", "", "Idempotency-Key: a", "Idempotency-Key: b"), "2 times"),
		"long key":               refuse(400, endOf("news", "", "Idempotency-Key: "+strings.Repeat("k", 129)), "idempotency_key"),
		"bad topic":              refuse(400, endOf("a..b", ""), "topic", "empty segment"),
		"selector":               refuse(400, endOf("quotes.*", ""), "topic", "not allowed"),
		"hub's topic":            refuse(400, endOf("hub.x", ""), "reserved"),
		"foreign page":           refuse(403, endOf("news", "", "Origin: https://foreign.example"), "origin"),
		"foreign page cancels":   refuse(403, cancelOf("news", "Origin: https://foreign.example"), "origin"),
		"cancel with a body":     refuse(400, request{method: "POST", path: "/topics/news/cancel", body: "{}"}, "body"),
		"cancel with a query":    refuse(400, request{method: "POST", path: "/topics/news/cancel?x=1"}, "query"),
		"cancel of a bad topic":  refuse(400, cancelOf("a..b"), "topic"),
		"GET":                    refuse(405, get("/topics/news/end"), "method"),
		"ephemeral ends":         refuse(400, endOf("cursors.7", ""), "ephemeral"),
		"ephemeral cancel":       refuse(400, cancelOf("cursors.7"), "ephemeral"),
		"ephemeral lease":        refuse(400, postTo("?topic=cursors.7&lease=30s", "", "hi"), "lease", "ephemeral"),
		"table without a key":    refuse(400, postTo("?topic=quotes.A", "", "hi"), "key", "missing"),
		"batch, without a key":   refuse(400, postTo("?topic=quotes.A", jsonType, `[{"data":1,"key":"k"},{"data":2}]`), "message 1", "key"),
		"null":                   refuse(400, object(`{"data":null}`), "data", "null"),
		"end: 7":                 refuse(400, object(`{"end":7}`), "end", "7"),
		"end: done":              refuse(400, object(`{"end":"done"}`), "end", "done"),
		"end: producer_lost":     refuse(400, object(`{"end":"producer_lost"}`), "end"),
		"end and lease":          refuse(400, object(`{"end":true,"lease":"30s"}`), "lease"),
		"end with a name":        refuse(400, object(`{"end":true,"event":"bye"}`), "data", "missing"),
		"lease of 0":             refuse(400, object(`{"data":1,"lease":"0s"}`), "lease", "1s"),
		"lease of a year":        refuse(400, object(`{"data":1,"lease":"8760h"}`), "lease", "24h"),
		"lease, no time":         refuse(400, object(`{"data":1,"lease":"soon"}`), "lease", "soon"),
		"lease: 30":              refuse(400, object(`{"data":1,"lease":30}`), "lease", "string"),
		"query's lease":          refuse(400, postTo("?topic=news&lease=0s", "", "hi"), "lease"),
		"query's lease, no time": refuse(400, postTo("?topic=news&lease=30", "", "hi"), "lease"),
		"query's end":            refuse(400, postTo("?topic=news&end=done", "", "hi"), "end", "done"),
		"query's end and lease":  refuse(400, postTo("?topic=news&end=true&lease=30s", "", "hi"), "lease"),
		"query's end, twice":     refuse(400, postTo("?topic=news&end=true&end=true", "", "hi"), "end", "2 times"),
		"query's end of JSON":    refuse(400, postTo("?topic=news&end=true", jsonType, `{"data":1}`), "end", "raw"),
		"query's end of lines":   refuse(400, postTo("?topic=news&end=true", ndjsonType, `{"data":1}`), "end", "raw"),
		"behind the end":         refuse(409, object(`[{"data":1,"end":true},{"data":2}]`), "message 1", "has ended"),
	}
	expectRefusals(t, n, rows)
}

// A table that has as many keys as it may takes no other one, and says so.
func TestFullTable(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Bus: rulesFor(t, "quotes.*", "latest")})
	put := func(key, data string) answer {
		return n.do(t, postTo("?topic=quotes.A&key="+key, jsonType, `{"data":`+data+`}`))
	}
	for _, key := range []string{"a", "b", "a"} {
		decode[receipt](t, put(key, "1"))
	}
	expectProblem(t, put("c", "1"), http.StatusUnprocessableEntity, "2 keys", "delete keys")
	decode[receipt](t, put("b", "null"))
	id := decode[receipt](t, put("c", "2")).ID
	state := decode[topicState](t, n.do(t, get("/topics/quotes.A")))
	if state.Kind != "latest" || state.State != "open" || state.Status != "" || state.LastID != id {
		t.Errorf("%+v", state)
	}
	var list []string
	for _, e := range decode[history](t, n.do(t, get("/topics/quotes.A/messages"))).Messages {
		list = append(list, fmt.Sprintf("%s %s", e.Key, e.Data))
	}
	if got := strings.Join(list, ", "); got != "a 1, b null, c 2" {
		t.Errorf("the table is %q", got)
	}
}

// A listener gets what there was, the end, and the end of the answer, which
// tells it from one that was cut; and nothing when it comes back.
func TestStreamEndsWithItsTopics(t *testing.T) { onWriters(t, streamEndsWithItsTopics) }

func streamEndsWithItsTopics(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	n.publish(t, "a", "1")
	s := n.open(t, "?topic=a&topic=b&since=all")
	s.opened(false)
	s.expect("1")
	a := decode[ending](t, n.do(t, endOf("a", "")))
	if e := s.next(); e.Name != "hub.end" || e.ID != a.ID || e.Data != `{"topic":"a","status":"completed"}` {
		t.Errorf("got %+v", e)
	}
	n.publish(t, "b", "2")
	s.expect("2")
	b := decode[ending](t, n.do(t, endOf("b", `{"status":"failed"}`)))
	if e := s.next(); e.Name != "hub.end" || e.ID != b.ID || e.Data != `{"topic":"b","status":"failed"}` {
		t.Errorf("got %+v", e)
	}
	if e, err := s.events.Next(); err != io.EOF {
		t.Errorf("behind the last end: %+v, %v", e, err)
	}
	for query, status := range map[string]int{"topic=a&topic=b&last_event_id=" + b.ID: 204, "topic=a&last_event_id=" + a.ID: 204, "topic=a&last_event_id=" + b.ID: 204} {
		if again := n.do(t, get("/events?"+query, "Origin: https://anywhere.example")); again.status != status || len(again.body) > 0 ||
			again.header.Get("Access-Control-Allow-Origin") != "*" || again.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %q", query, again.status, again.header, again.body)
		}
	}
	whole := n.do(t, get("/events?envelope=true&topic=b&last_event_id="+a.ID))
	if text := string(whole.body); whole.status != 200 || strings.Count(text, "\nevent: ") != 2 || !strings.HasSuffix(text, "event: hub.end\ndata: {\"topic\":\"b\",\"status\":\"failed\"}\n\n") {
		t.Errorf("from a on: %d %q", whole.status, text)
	}
	state := decode[topicState](t, n.do(t, get("/topics/b")))
	if state.State != "ended" || state.Status != "failed" || state.LastID != b.ID {
		t.Errorf("%+v", state)
	}
	last := decode[history](t, n.do(t, get("/topics/b/messages"))).Messages
	if e := last[len(last)-1]; e.Event != "hub.end" || string(e.Data) != `{"topic":"b","status":"failed"}` {
		t.Errorf("%+v", e)
	}
}
