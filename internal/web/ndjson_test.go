package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tickertape/internal/nodetest"
)

const ndjsonType = "application/x-ndjson"

// streamed is the answer to a stream.
type streamed struct {
	Published  int
	Duplicates int
	LastID     string `json:"last_id"`
}

// texts returns the data of all that the node holds, in order of topics.
func (n *node) texts(t *testing.T) string {
	t.Helper()
	var all []string
	for _, e := range n.stored(t) {
		all = append(all, fmt.Sprint(e.Topic, " ", e.Data.Text))
	}
	return strings.Join(all, ", ")
}

func (n *node) lastID(t *testing.T) string {
	t.Helper()
	all := n.stored(t)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1].Cursor().String()
}

func TestNDJSON(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 256<<10)
	for name, c := range map[string]struct{ query, body, want string }{
		"lines":          {"", `{"topic":"a","data":1}` + "\n" + `{"topic":"a","data":"2"}` + "\n", "a 1, a 2"},
		"CRLF":           {"?topic=t", "{\"data\":1}\r\n{\"data\":2}\r\n", "t 1, t 2"},
		"blank lines":    {"?topic=t", "\n\r\n{\"data\":1}\n \t\n\n{\"data\":2}\n\n", "t 1, t 2"},
		"no end":         {"?topic=t", "{\"data\":1}\n{\"data\":2}", "t 1, t 2"},
		"BOM":            {"?topic=t", "\ufeff{\"data\":1}\n", "t 1"},
		"BOM alone":      {"?topic=t", "\ufeff\n", ""},
		"empty":          {"?topic=t", "", ""},
		"line end":       {"?topic=t", "\n", ""},
		"longest data":   {"?topic=t", `{"data":"` + large + `"}` + "\n" + `{"data":2}`, "t " + large + ", t 2"},
		"longest line":   {"?topic=t", `{"data":1` + strings.Repeat(" ", 4<<20-10) + "}\n" + `{"data":2}`, "t 1, t 2"},
		"own keys":       {"?topic=t", `{"data":1,"idempotency_key":"k"}` + "\n" + `{"data":2,"idempotency_key":"l"}`, "t 1, t 2"},
		"many in a read": {"?topic=t", strings.Repeat("{\"data\":1}\n", 1000), strings.TrimSuffix(strings.Repeat("t 1, ", 1000), ", ")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, nodetest.Options{})
			a := n.do(t, postTo(c.query, ndjsonType, c.body))
			got := decode[streamed](t, a)
			if texts := n.texts(t); texts != c.want {
				t.Errorf("stored %.200q, want %.200q", texts, c.want)
			}
			if got.Published != len(n.stored(t)) || got.LastID != n.lastID(t) || got.Duplicates != 0 {
				t.Errorf("answered %s", a.body)
			}
			if strings.Contains(string(a.body), "duplicates") || got.LastID == "" && strings.Contains(string(a.body), "last_id") {
				t.Errorf("says what is not there: %s", a.body)
			}
		})
	}
}

// expectStop checks how a stream ended before its body did: the error, and
// that just the messages before it are stored.
func expectStop(t *testing.T, n *node, a answer, status int, detail, stored string) {
	t.Helper()
	p := expectProblem(t, a, status, detail)
	if !strings.HasPrefix(p.Detail, detail) {
		t.Errorf("%q does not begin with %q", p.Detail, detail)
	}
	if texts := n.texts(t); texts != stored {
		t.Errorf("stored %.200q, want %.200q", texts, stored)
	}
	count := len(n.stored(t))
	if p.Published == nil || *p.Published+p.Duplicates != count || p.Item == nil || *p.Item != count || p.LastID != n.lastID(t) {
		t.Errorf("%d are stored, the answer says %s", count, a.body)
	}
}

func TestNDJSONStopsAtBadLine(t *testing.T) {
	t.Parallel()
	const one, two = "{\"data\":1}\n", "{\"data\":2}\n"
	for name, c := range map[string]struct {
		body, detail, stored string
		status               int
	}{
		"no JSON":        {one + "\n" + "{\"data\":x}\n" + two, "line 3: body is not valid JSON", "t 1", 400},
		"the first":      {"\n[1]\n" + one, "line 2: body is JSON, but not an object", "", 400},
		"two values":     {one + "{\"data\":1}{\"data\":2}\n", "line 2: body is not valid JSON", "t 1", 400},
		"unknown field":  {one + two + "{\"dat\":1}\n", "line 3: body has an unknown field", "t 1, t 2", 400},
		"cut line":       {one + "{\"data\":", "line 2: body is not valid JSON", "t 1", 400},
		"data too large": {one + `{"data":"` + strings.Repeat("x", 256<<10+1) + "\"}\n" + two, "line 2: data is over", "t 1", 413},
		"line too long":  {one + strings.Repeat("x", 4<<20+1) + "\n" + two, "line 2: the line is over", "t 1", 413},
		"a BOM inside":   {one + "\ufeff" + two, "line 2: body is not valid JSON", "t 1", 400},
		"no UTF-8":       {one + "{\"data\":\"\xff\"}\n" + two, "line 2: ", "t 1", 400},
		"key used again": {"{\"data\":1,\"idempotency_key\":\"k\"}\n" + two + "{\"data\":3,\"idempotency_key\":\"k\"}\n" + one,
			"line 3: this idempotency_key was used", "t 1, t 2", 422},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, nodetest.Options{})
			expectStop(t, n, n.do(t, postTo("?topic=t", ndjsonType, c.body)), c.status, c.detail, c.stored)
		})
	}
}

func TestStreamsRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	const line = "{\"topic\":\"t\",\"data\":1}\n"
	const block = "data: 1\n\n"
	expectRefusals(t, n, map[string]refusal{
		"idempotency":      refuse(http.StatusBadRequest, postTo("", ndjsonType, line, "Idempotency-Key: k"), "Idempotency-Key", "producer"),
		"encoding":         refuse(http.StatusUnsupportedMediaType, postTo("", ndjsonType, line, "Content-Encoding: gzip"), "Content-Encoding"),
		"charset":          refuse(http.StatusUnsupportedMediaType, postTo("", ndjsonType+"; charset=latin1", line), "UTF-8"),
		"query":            refuse(http.StatusBadRequest, postTo("?tpoic=t", ndjsonType, line), "tpoic"),
		"seq alone":        refuse(http.StatusBadRequest, postTo("?seq=1", ndjsonType, line), "producer"),
		"beyond last seq":  refuse(http.StatusBadRequest, postTo("?producer=p&seq=9007199254740992", ndjsonType, line), "seq"),
		"producer":         refuse(http.StatusBadRequest, postTo("?seq=1&producer="+strings.Repeat("p", 129), ndjsonType, ""), "producer"),
		"SSE, no topic":    refuse(http.StatusBadRequest, postTo("", sseType, block), "topic", "query"),
		"SSE, bad topic":   refuse(http.StatusBadRequest, postTo("?topic=hub", sseType, ""), "topic"),
		"SSE, bad event":   refuse(http.StatusBadRequest, postTo("?topic=t&event=error", sseType, ""), "event"),
		"SSE, idempotency": refuse(http.StatusBadRequest, postTo("?topic=t", sseType, block, "Idempotency-Key: k"), "Idempotency-Key"),
	})
}

// A producer that comes to the last number within a stream: the line with that
// number may be stored, the next one is not.
func TestSeqRunsOut(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	const line = "{\"topic\":\"t\",\"data\":1}\n"
	a := n.do(t, postTo("?producer=p&seq=9007199254740991", ndjsonType, line+line))
	expectProblem(t, a, http.StatusBadRequest, "seq")
	if stored := n.stored(t); len(stored) > 1 {
		t.Errorf("stored %v", stored)
	}
}
