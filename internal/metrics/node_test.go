package metrics_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
)

// moves is by how much samples move.
type moves = map[string]float64

var (
	left    = labelled("streams_ended_total", "reason", "left")
	opened  = labelled("streams_opened_total", "resumed", "false")
	resumed = labelled("streams_opened_total", "resumed", "true")
	okRead  = labelled("catch_up_reads_total", "outcome", "ok")
	timed   = labelled("publish_duration_seconds_count", "bus", "memory")
)

func published(body, outcome string) string {
	return labelled("messages_published_total", "body", body, "outcome", outcome)
}

func requests(body string, code int) string {
	return labelled("publish_requests_total", "body", body, "code", fmt.Sprint(code))
}

func gaps(reason string) string { return labelled("gaps_total", "reason", reason) }

func TestPublishAndDeliver(t *testing.T) {
	t.Parallel()
	n := start(t, membus.New(membus.Options{}), nodetest.Options{})
	const clients = 3
	before := n.samples()
	var streams []*listener
	for range clients {
		streams = append(streams, n.listen("topic=a&topic=b"))
	}
	n.expect("opened", before, moves{opened: clients, "streams": clients, "topics": 2})

	before = n.samples()
	n.publish("?topic=a", "text/plain", "one")
	n.await("the first has come to all", func(now map[string]float64) bool {
		return now["events_delivered_total"]-before["events_delivered_total"] == clients
	}) // else a busy machine makes one batch of everything
	n.publish("", "application/json", `[{"topic":"a","data":2},{"topic":"b","data":3,"idempotency_key":"k"}]`)
	n.publish("?topic=nobody", "", "four")
	n.expect("published", before, moves{
		published("raw", "stored"): 2, published("json", "stored"): 2, requests("raw", 200): 2, requests("json", 200): 1,
		timed: 3, "events_delivered_total": 3 * clients, "memory_topics": 3})

	before = n.samples()
	n.publish("", "application/json", `{"topic":"b","data":3,"idempotency_key":"k"}`)
	n.publish("", "application/json", `{"topic":"b","data":4,"idempotency_key":"k"}`)
	n.publish("", "application/json", `{"topic":"b"}`)
	n.publish("?topic=b", "image/png", "")
	n.expect("refused", before, moves{
		published("json", "duplicate"): 1, published("json", "refused"): 1, timed: 2,
		requests("json", 200): 1, requests("json", 422): 1, requests("json", 400): 1, requests("other", 415): 1})

	before = n.samples()
	n.publish("?topic=nobody&producer=p&seq=0", "application/x-ndjson", "{\"data\":1}\n{\"data\":2}\n{}")
	n.publish("?topic=nobody&producer=p&seq=0", "application/x-ndjson", "{\"data\":1}\n{\"data\":2}\n{\"data\":3}")
	n.publish("?topic=nobody", "text/event-stream", "data: 1\n\ndata: [DONE]\n\n")
	before[timed] = n.samples()[timed] // as many as there were chunks
	n.expect("streams in", before, moves{published("ndjson", "stored"): 3, published("ndjson", "duplicate"): 2, published("sse", "stored"): 1,
		requests("ndjson", 200): 1, requests("ndjson", 400): 1, requests("sse", 200): 1})

	got := 0
	for _, s := range streams {
		for limit := time.Now().Add(patience); strings.Count(s.text(), "\ndata: ") < 3 && time.Now().Before(limit); {
			time.Sleep(5 * time.Millisecond)
		}
		got += len(s.text())
	}
	after := n.samples()
	if counted := after["delivered_bytes_total"]; counted != float64(got) {
		t.Errorf("%v bytes delivered, and %d came", counted, got)
	}
	if batches := after["delivery_delay_seconds_count"]; batches < 2*clients || batches > 3*clients {
		t.Errorf("%v batches of live events", batches)
	}
	before = after
	for _, s := range streams {
		s.close()
	}
	n.expect("left", before, moves{left: clients, "streams": -clients})
}

func TestEndsAndTables(t *testing.T) {
	t.Parallel()
	selector, err := event.ParseSelector("quotes.*")
	if err != nil {
		t.Fatal(err)
	}
	rules := event.Rules{{Selector: selector, Kind: event.KindLatest, Keys: 1}}
	n := start(t, membus.New(membus.Options{Rules: rules}), nodetest.Options{})
	before := n.samples()
	stream := n.listen("topic=a")
	n.expect("opened", before, moves{opened: 1, "streams": 1})
	before = n.samples()
	n.post("/topics/a/end", "", "")
	n.post("/topics/a/end", "", "")
	n.post("/topics/a/cancel", "", "")
	n.post("/topics/b/cancel", "", "")
	n.publish("?topic=c&end=failed", "", "bye")
	n.publish("?topic=quotes.A&key=1", "", "hi")
	n.publish("?topic=quotes.A&key=2", "", "hi")
	status := func(s string) string { return labelled("topics_ended_total", "status", s) }
	n.expect("ended", before, moves{status("completed"): 1, status("cancelled"): 1, status("failed"): 1, "table_refusals_total": 1,
		published("end", "stored"): 2, published("end", "refused"): 2, published("raw", "stored"): 2, published("raw", "refused"): 1,
		requests("end", 200): 3, requests("end", 409): 1, requests("raw", 200): 2, requests("raw", 422): 1, timed: 7,
		"events_delivered_total": 1, "streams": -1, labelled("streams_ended_total", "reason", "over"): 1})
	if text := stream.text(); strings.Count(text, "event: hub.end") != 1 {
		t.Errorf("the stream said %q", text)
	}
}

func TestGapsAndCatchUps(t *testing.T) {
	t.Parallel()
	n := start(t, membus.New(membus.Options{Retention: event.Retention{Messages: 2}}), nodetest.Options{})
	s := n.listen("topic=a")
	n.publish("?topic=a", "", "first")
	for limit := time.Now().Add(patience); !strings.Contains(s.text(), "first") && time.Now().Before(limit); {
		time.Sleep(5 * time.Millisecond)
	}
	cursor := s.id()
	s.close()
	n.await("it has left", func(now moves) bool { return now["streams"] == 0 && now["events_delivered_total"] == 1 })
	for range 4 {
		n.publish("?topic=b", "", "more")
	}
	bCursor := cursor // of all topics
	before := n.samples()
	n.listen("topic=b&last_event_id=" + bCursor)
	n.expect("trimmed", before, moves{resumed: 1, "streams": 1, "topics": 1, okRead: 1, gaps("trimmed"): 1, "events_delivered_total": 2})

	before = n.samples()
	n.listen("topic=a&topic=b&last_event_id=nonsense")
	n.expect("bad cursor", before, moves{opened: 1, "streams": 1, gaps("bad_cursor"): 2})

	before = n.samples()
	n.listen("topic=b&last=1")
	n.expect("replay", before, moves{opened: 1, "streams": 1, "events_delivered_total": 1, okRead: 1})
	if live := n.samples()["delivery_delay_seconds_count"]; live != 1 {
		t.Errorf("%v batches count as live; only the first event was", live)
	}
}

func TestCuts(t *testing.T) {
	t.Parallel()
	n := start(t, membus.New(membus.Options{}), nodetest.Options{Stream: stream.Options{MaxStreams: 2, Stall: 300 * time.Millisecond}})
	quiet := n.listen("topic=quiet")
	before := n.samples()
	conn, err := net.Dial("tcp", n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "GET /events?topic=a HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	n.expect("opened", before, moves{opened: 1, "streams": 1, "topics": 1})
	full := n.listen("topic=a")
	full.reading.Wait()
	n.expect("full", before, moves{opened: 1, "streams": 1, "topics": 1, labelled("streams_sent_away_total", "reason", "full"): 1})

	for limit := time.Now().Add(patience); n.samples()[labelled("streams_ended_total", "reason", "stalled")] == 0; {
		if n.publish("?topic=a", "", strings.Repeat("x", 256<<10)) != http.StatusOK || time.Now().After(limit) {
			t.Fatal("who takes nothing is not cut")
		}
	}
	before = n.samples()
	if err := n.Streams.Close(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	quiet.reading.Wait()
	late := n.listen("topic=a")
	late.reading.Wait()
	n.expect("drained", before, moves{labelled("streams_ended_total", "reason", "drained"): 1, "streams": -1,
		labelled("streams_sent_away_total", "reason", "draining"): 1})
}

// hollow is a bus with nothing behind its reads.
type hollow struct{ hub.Bus }

func (hollow) Topics(context.Context, *event.Selector, event.Topic, int) ([]event.TopicInfo, error) {
	panic("there is nothing")
}

func TestPanics(t *testing.T) {
	t.Parallel()
	n := start(t, hollow{membus.New(membus.Options{})}, nodetest.Options{})
	before := n.samples()
	answer, err := n.client.Get(n.URL + "/topics")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	n.expect("a panic", before, moves{"panics_total": 1})
}
