package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// A body that breaks off is not a shorter message.
func TestHalfABodyPublishesNothing(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	for _, framing := range []string{
		"Content-Type: text/plain\r\nContent-Length: 100\r\n\r\n0123456789",
		"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"data\":1}",
		"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nhello",
	} {
		conn := n.dial(t)
		send(t, conn, "POST /publish?topic=news HTTP/1.1\r\nHost: hub\r\n"+framing)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%q: %v", framing, err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatalf("%q: %v", framing, err)
		}
		expectProblem(t, answer{response.StatusCode, response.Header, body}, 400, "broke off before")
	}
	if stored := n.stored(t); len(stored) > 0 {
		t.Errorf("stored %v", stored)
	}
}

func TestOriginsThatMayPublish(t *testing.T) {
	t.Parallel()
	closed := startNode(t, nodetest.Options{})
	friendly := startNode(t, nodetest.Options{Web: web.Options{PublishOrigins: []string{"https://app.example", "http://localhost:3000"}}})
	for _, c := range []struct {
		node   *node
		origin string
		want   int
	}{
		{closed, "", 200},
		{closed, "http://" + closed.Addr, 200},
		{closed, "https://app.example", 403},
		{closed, "null", 403},
		{closed, "http://" + closed.Addr + ".evil.example", 403},
		{closed, "http://evil.example/" + closed.Addr, 403},
		{closed, "http://" + closed.Addr + "@evil.example", 403},
		{closed, "file://", 403},
		{closed, "%", 403},
		{friendly, "", 200},
		{friendly, "http://" + friendly.Addr, 200},
		{friendly, "https://app.example", 200},
		{friendly, "http://localhost:3000", 200},
		{friendly, "http://localhost:3001", 403},
		{friendly, "http://app.example", 403},
		{friendly, "https://app.example.evil", 403},
		{friendly, "https://sub.app.example", 403},
		{friendly, "null", 403},
	} {
		before := len(c.node.stored(t))
		r := postTo("?topic=news", "text/plain", "hi")
		if c.origin != "" {
			r.header = append(r.header, "Origin: "+c.origin)
		}
		a := c.node.do(t, r)
		stored := len(c.node.stored(t)) - before
		if c.want == 200 {
			decode[receipt](t, a)
			if stored != 1 {
				t.Errorf("origin %q: %d stored", c.origin, stored)
			}
			continue
		}
		expectProblem(t, a, c.want, "origin", "--publish-origins")
		if stored != 0 || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("origin %q: %d stored, headers %v", c.origin, stored, a.header)
		}
	}
}

// A page of an allowed origin can read the answers too, errors among them.
func TestAllowedOriginsReadTheAnswer(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Web: web.Options{PublishOrigins: []string{"https://app.example"}}})
	for _, r := range []request{postTo("?topic=news", "", "hi"), postTo("?topic=hub", "", "hi")} {
		r.header = append(r.header, "Origin: https://app.example")
		if a := n.do(t, r); a.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
			t.Errorf("got %d with %v", a.status, a.header)
		}
	}
}

// clientHeaders are what clients on fetch send and so ask for beforehand.
var clientHeaders = []string{"Last-Event-ID", "Cache-Control", "Authorization", "Content-Type", "Idempotency-Key"}

func TestPreflights(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Web: web.Options{PublishOrigins: []string{"https://app.example"}}})
	for _, c := range []struct{ path, method, origin, allowed string }{
		{"/publish", "POST", "https://app.example", "https://app.example"},
		{"/publish", "POST", "https://other.example", ""},
		{"/publish", "POST", "null", ""},
		{"/events?topic=news", "GET", "https://other.example", "*"},
		{"/topics", "GET", "null", "*"},
		{"/topics/news/messages", "GET", "https://other.example", "*"},
	} {
		a := n.do(t, request{method: "OPTIONS", path: c.path, header: []string{"Origin: " + c.origin,
			"Access-Control-Request-Method: " + c.method, "Access-Control-Request-Headers: " + strings.ToLower(strings.Join(clientHeaders, ","))}})
		if got := a.header.Get("Access-Control-Allow-Origin"); got != c.allowed {
			t.Errorf("%v: origin %q is allowed", c, got)
		}
		if c.allowed == "" {
			if a.status != http.StatusForbidden {
				t.Errorf("%v: %d", c, a.status)
			}
			continue
		}
		if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Methods") != c.method || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%v: %d, %v", c, a.status, a.header)
		}
		allowed := "," + strings.ToLower(strings.ReplaceAll(a.header.Get("Access-Control-Allow-Headers"), " ", "")) + ","
		for _, h := range clientHeaders {
			if !strings.Contains(allowed, ","+strings.ToLower(h)+",") {
				t.Errorf("%v: %s is not allowed: %q", c, h, allowed)
			}
		}
	}
}

func TestWrongPathsAndMethods(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	n.publish(t, "before", "1")
	rows := map[string]refusal{}
	for _, path := range []string{"/nowhere", "/publish/", "/events/", "/publish/x", "/topics/", "/topics/before/", "/topics/before/nothing", "/topics/a/b/messages", "/Publish"} {
		rows["GET "+path] = refuse(404, get(path), "nothing at this path")
		rows["POST "+path] = refuse(404, request{method: "POST", path: path + "?topic=news", body: "hi"}, "nothing at this path")
	}
	for path, methods := range map[string]string{"/publish": "GET PUT DELETE PATCH", "/events": "POST PUT", "/topics": "POST DELETE",
		"/topics/before": "DELETE", "/topics/before/messages": "POST", "/healthz": "POST", "/readyz": "POST"} {
		for method := range strings.FieldsSeq(methods) {
			rows[method+" "+path] = refuse(405, request{method: method, path: path + "?topic=news"}, "method")
		}
	}
	expectRefusals(t, n, rows)
	if a := n.do(t, get("/publish")); a.header.Get("Allow") != "POST, OPTIONS" && a.header.Get("Allow") != "OPTIONS, POST" {
		t.Errorf("GET /publish says Allow: %q", a.header.Get("Allow"))
	}
}

func TestIdempotencyOverHTTP(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	object := func(topic, key, data string) request {
		return postTo("", jsonType, fmt.Sprintf(`{"topic":%q,"idempotency_key":%q,"data":%q}`, topic, key, data))
	}
	first := decode[receipt](t, n.do(t, object("a", "k", "x")))
	if first.Duplicate {
		t.Error("the first is called a duplicate")
	}
	// The key may come as field or header, in any kind of body.
	for _, r := range []request{object("a", "k", "x"), postTo("?topic=a", "", "x", "Idempotency-Key: k"),
		postTo("?topic=a", jsonType, `{"data":"x"}`, "Idempotency-Key: k"), postTo("?topic=a", jsonType, `{"data":"x","idempotency_key":"k"}`, "Idempotency-Key: other")} {
		if again := decode[receipt](t, n.do(t, r)); !again.Duplicate || again.ID != first.ID || again.Topic != "a" {
			t.Errorf("the retry is answered %+v, want %+v as duplicate", again, first)
		}
	}
	for _, r := range []request{object("a", "k", "y"), postTo("?topic=a&event=e", "", "x", "Idempotency-Key: k"),
		postTo("?topic=a&key=k", "", "x", "Idempotency-Key: k"), postTo("?topic=a", jsonType, `{"data":["x"]}`, "Idempotency-Key: k")} {
		if p := expectProblem(t, n.do(t, r), http.StatusUnprocessableEntity, "idempotency_key", "another message"); p.Stored != "" {
			t.Errorf("a refusal by the client's fault says stored: %q", p.Stored)
		}
	}
	if r := decode[receipt](t, n.do(t, object("b", "k", "y"))); r.Duplicate || r.ID == first.ID {
		t.Errorf("the key counts for another topic too: %+v", r)
	}
	type results struct{ Results []receipt }
	got := decode[results](t, n.do(t, postTo("?topic=c", jsonType, `[{"data":1,"idempotency_key":"k"},{"data":2},{"data":1,"idempotency_key":"k"},{"topic":"a","data":"x","idempotency_key":"k"}]`))).Results
	if len(got) != 4 || got[0].Duplicate || got[1].Duplicate || !got[2].Duplicate || got[2].ID != got[0].ID || !got[3].Duplicate || got[3].ID != first.ID {
		t.Errorf("the batch is answered %+v", got)
	}
	batch := postTo("?topic=c", jsonType, `[{"data":3},{"data":4,"idempotency_key":"n"},{"data":5,"idempotency_key":"n"}]`)
	expectProblem(t, n.do(t, batch), http.StatusUnprocessableEntity, "message 2", "idempotency_key")
	if stored := n.stored(t); len(stored) != 4 { // a, b, and two of c
		t.Errorf("%d are stored: %v", len(stored), stored)
	}
}
