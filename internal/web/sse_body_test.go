package web_test

import (
	"strings"
	"testing"

	"tickertape/internal/nodetest"
)

const sseType = "text/event-stream"

// events returns the names and data of all that the node holds.
func (n *node) events(t *testing.T) string {
	t.Helper()
	var all []string
	for _, e := range n.stored(t) {
		all = append(all, e.Name+"="+e.Data.Text)
	}
	return strings.Join(all, ", ")
}

func TestSSEIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ query, body, want string }{
		"events":          {"", "data: 1\n\nevent: e\ndata: 2\n\n", "=1, e=2"},
		"lines of data":   {"", "data: a\ndata:  b\ndata:\n\n", "=a\n b\n"},
		"line ends":       {"", "data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n", "=1, =2, =3"},
		"BOM":             {"", "\ufeffdata: 1\n\n", "=1"},
		"ids and retry":   {"", "id: 7\nretry: 1\ndata: 1\n\nid: 8\n\n: comment\n\n", "=1"},
		"JSON is text":    {"", "data: {\"a\": 1.0}\n\n", "={\"a\": 1.0}"},
		"cut block":       {"", "data: 1\n\ndata: 2\n", "=1"},
		"half character":  {"", "data: 1\n\ndata: \xe4\xbd", "=1"},
		"empty":           {"", "", ""},
		"default name":    {"&event=token", "data: 1\n\nevent: e\ndata: 2\n\n", "token=1, e=2"},
		"end mark":        {"", "data: 1\n\ndata: [DONE]\n\ndata: 2\n\n", "=1"},
		"named mark":      {"", "event: e\ndata: [DONE]\n\ndata: 2\n\n", "e=[DONE], =2"},
		"two lines":       {"", "data: [DONE]\ndata:\n\n", "=[DONE]\n"},
		"responses":       {"", "event: response.created\ndata: 1\n\nevent: response.completed\ndata: 2\n\ndata: 3\n\n", "response.created=1, response.completed=2"},
		"response fails":  {"", "event: response.failed\ndata: 1\n\ndata: 2\n\n", "response.failed=1"},
		"incomplete":      {"", "event: response.incomplete\ndata: 1\n\ndata: 2\n\n", "response.incomplete=1"},
		"browsers' names": {"", "event: error\ndata: 1\n\nevent: open\ndata: 2\n\nevent: errors\ndata: 3\n\n", "upstream.error=1, upstream.open=2, errors=3"},
		"a hub's names": {"", "event: hub.open\ndata: 1\n\nevent: hub.gap\ndata: 2\n\nevent: hub.heartbeat\ndata: 3\n\nevent: hub.cursor\ndata: 4\n\nevent: hub\ndata: 5\n\nevent: hub.end\ndata: 6\n\n",
			"upstream.hub.gap=2, upstream.hub=5, upstream.hub.end=6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, nodetest.Options{})
			a := n.do(t, postTo("?topic=t"+c.query, sseType, c.body))
			got := decode[streamed](t, a)
			if events := n.events(t); events != c.want || got.Published != len(n.stored(t)) || got.LastID != n.lastID(t) {
				t.Errorf("stored %q, want %q; answered %s", events, c.want, a.body)
			}
		})
	}
}

func TestSSEInStopsAtBadEvent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body, detail, stored string
		status               int
	}{
		"no UTF-8":       {"data: 1\n\nevent: hub.open\ndata: x\n\ndata: \xff\n\ndata: 2\n\n", "event 3: data is not valid UTF-8", "t 1", 400},
		"name":           {"data: 1\n\nevent: a\tb\ndata: 2\n\n", "event 2: event has a control character", "t 1", 400},
		"data too large": {"data: 1\n\ndata: " + strings.Repeat("x", 256<<10+1) + "\n\n", "event 2: data is over", "t 1", 413},
		"endless event":  {"data: 1\n\n" + strings.Repeat(": x\n", 2<<20), "event 2: the event is over", "t 1", 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, nodetest.Options{})
			expectStop(t, n, n.do(t, postTo("?topic=t", sseType, c.body)), c.status, c.detail, c.stored)
		})
	}
}
