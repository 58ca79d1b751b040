package web_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/nodetest"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// 100,000 lines in one request are stored in their order, each once.
func TestLongStreamOverRedis(t *testing.T) {
	t.Parallel()
	const count = 100_000
	bus, err := redisbus.Open(redisbus.Options{URL: redistest.Start(t).URL, Log: slog.New(slog.DiscardHandler),
		Retention: event.Retention{Messages: count, Bytes: 64 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	n := startNode(t, nodetest.Options{Over: bus})
	n.client.Timeout = 0
	until(t, "the node is ready", func() bool { return n.do(t, get("/readyz")).status == 200 })
	for _, part := range []struct{ from, to, duplicates int }{{0, 60_000, 0}, {50_000, count, 10_000}} {
		a := n.do(t, postTo(fmt.Sprintf("?topic=t&producer=p&seq=%d", part.from), ndjsonType, lines(part.from, part.to)))
		if got := decode[streamed](t, a); got.Published != part.to-part.from-part.duplicates || got.Duplicates != part.duplicates {
			t.Errorf("answered %s", a.body)
		}
	}
	stored := n.stored(t)
	for i, e := range stored {
		if e.Data.Text != fmt.Sprint(i) {
			t.Fatalf("event %d is %s", i, strings.TrimSpace(e.Data.Text))
		}
	}
	if len(stored) != count {
		t.Errorf("%d are stored", len(stored))
	}
}

// TestStreamOverALoss has Redis lose what came of a numbered stream, which goes
// on. The producer sends all that it was not answered again: were what comes
// behind the loss taken before that, it would stand before what was lost.
func TestStreamOverALoss(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus, err := redisbus.Open(redisbus.Options{URL: server.URL, Beat: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	n := startNode(t, nodetest.Options{Over: bus})
	ready := func() bool { return n.do(t, get("/readyz")).status == 200 }
	until(t, "the node is ready", ready)
	for query, want := range map[string]int{"?producer=p&seq=0": http.StatusServiceUnavailable, "": http.StatusOK} {
		first, second := fmt.Sprint("a.", want), fmt.Sprint("b.", want)
		conn := n.dial(t)
		send(t, conn, "POST /publish"+query+" HTTP/1.1\r\nHost: hub\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
		line := func(topic string) string { return fmt.Sprintf(`{"topic":"%s","data":1}`+"\n", topic) }
		chunk := func(text string) { send(t, conn, fmt.Sprintf("%x\r\n%s\r\n", len(text), text)) }
		chunk(line(first))
		until(t, "the first line is stored", func() bool { return server.Must("EXISTS", "tt:{0}:log:"+first) == "1" })
		server.Kill()
		server.Wipe()
		server.Restart()
		until(t, "the node is ready again", func() bool { return ready() && server.Must("EXISTS", "tt:{0}:clock") == "1" })
		chunk(line(second))
		send(t, conn, "0\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != want {
			t.Errorf("%q is answered %d %s, %v; want %d", query, response.StatusCode, body, err, want)
		}
		if want == http.StatusOK {
			continue
		}
		p := expectProblem(t, answer{response.StatusCode, response.Header, body}, want, "another epoch")
		if p.Stored != "no" || p.Published == nil || *p.Published != 1 || server.Must("EXISTS", "tt:{0}:log:"+second) != "0" {
			t.Errorf("answered %s", body)
		}
		again := n.do(t, postTo(query, ndjsonType, line(first)+line(second)))
		if got := decode[streamed](t, again); got.Published != 2 {
			t.Errorf("again: %s", again.body)
		}
	}
}
