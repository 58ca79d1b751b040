package web_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/nodetest"
)

// holds waits until the topic has so many events.
func (n *node) holds(t *testing.T, topic string, events int) {
	t.Helper()
	until(t, fmt.Sprint(topic, " has ", events), func() bool {
		info, _, err := n.Bus.Topic(t.Context(), event.Topic(topic))
		return err == nil && info.Retained == events
	})
}

// Whoever writes to a topic by a stream hears of its end at once, though no
// line follows.
func TestStreamInHearsOfEnds(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	for name, row := range map[string]struct {
		query, media, body string
		last               string // of the topics that the body is for
		events             int    // that it has then
		end                request
		status             string
	}{
		"lines, cancelled":  {"", ndjsonType, `{"topic":"a","data":1}` + "\n" + `{"topic":"a2","data":2}` + "\n", "a2", 1, cancelOf("a"), "cancelled"},
		"lines, the second": {"", ndjsonType, `{"topic":"b","data":1}` + "\n" + `{"topic":"b2","data":2}` + "\n", "b2", 1, cancelOf("b2"), "cancelled"},
		"lines, failed":     {"?topic=c&producer=p&seq=0", ndjsonType, "{\"data\":1}\n{\"data\":2}\n", "c", 2, endOf("c", `{"status":"failed"}`), "failed"},
		"events":            {"?topic=d", sseType, sseOf("1", "2"), "d", 2, cancelOf("d"), "cancelled"},
		"events, by data":   {"?topic=e", sseType, sseOf("1", "2"), "e", 2, postTo("?topic=e&end=true", "", "bye"), "completed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := n.upload(t, row.query, row.media)
			u.send(row.body)
			n.holds(t, row.last, row.events)
			if a := n.do(t, row.end); a.status != http.StatusOK {
				t.Fatalf("the end is answered %d %s", a.status, a.body)
			}
			p := expectProblem(t, u.answer(), http.StatusConflict, "has ended: "+row.status)
			if p.TopicStatus != row.status || p.Published == nil || *p.Published != 2 || *p.Item != 2 || p.LastID == "" || p.Stored != "" {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestStreamInHearsOfEndsOverHTTP2(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	server := httptest.NewUnstartedServer(n.Web)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	body, sender := io.Pipe()
	defer func() { _ = sender.Close() }()
	answered := make(chan []byte, 1)
	go func() { answered <- postFlow(t, ctx, server.Client(), server.URL+"/publish?topic=t", body) }()
	_, _ = io.WriteString(sender, "{\"data\":1}\n") // and no more
	n.holds(t, "t", 1)
	n.do(t, cancelOf("t"))
	if got := <-answered; !strings.Contains(string(got), `"topic_status":"cancelled"`) {
		t.Errorf("answered %q", got)
	}
}

// The end that a stream brings itself is one of its messages: the others go on.
func TestStreamEndsTopics(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	var lines strings.Builder
	for i := range 100 {
		fmt.Fprintf(&lines, `{"topic":"t%d","data":1,"lease":"1m"}`+"\n"+`{"topic":"t%d","end":true}`+"\n", i, i)
	}
	u := n.upload(t, "", ndjsonType)
	for line := range strings.Lines(lines.String()) {
		u.send(line)
	}
	n.holds(t, "t99", 2)
	u.send(`{"topic":"other","data":"on"}` + "\n")
	u.end()
	if got := decode[streamed](t, u.answer()); got.Published != 201 {
		t.Errorf("%+v", got)
	}
	p := expectProblem(t, n.do(t, postTo("?topic=late", ndjsonType, `{"data":1,"end":true}`+"\n\n"+`{"data":2}`)), http.StatusConflict, "line 3: ", "completed")
	if *p.Published != 1 || *p.Item != 1 || p.TopicStatus != "completed" {
		t.Errorf("%+v", p)
	}
}
