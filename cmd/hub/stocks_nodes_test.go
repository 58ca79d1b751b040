//go:build unix

package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"tickertape/internal/browser"
	"tickertape/internal/redistest"
)

// TestStocksOverNodes sends real quotes through three nodes to a browser
// behind HAProxy. In mid-stream the browser's node is killed, and later the
// next one drained: every row arrives once, in order.
func TestStocksOverNodes(t *testing.T) {
	t.Parallel()
	batches := byDate(stocks(t))
	redis := redistest.Start(t)
	nodes := map[*process]bool{}
	var addrs []string
	for range 3 {
		p := startProcess(t, "", "HUB_REDIS="+redis.URL, "HUB_DRAIN_WAIT=5s", "HUB_DRAIN_WINDOW=1s")
		nodes[p] = true
		addrs = append(addrs, strings.TrimPrefix(p.url, "http://"))
	}
	edge := startHAProxy(t, addrs...)
	tab := browser.Start(t).Tab(t)
	tab.Open(edge + "/healthz") // a page of that origin, without a stream of its own
	source := tab.Listen(stocksPath)
	source.Await("hub.open", 1)

	var rows []quote
	var ids []string
	publish := func(list [][]quote) {
		publisher := nodeWithout(t, nodes)
		for _, batch := range list {
			ids = append(ids, publishQuotes(t, publisher.url, batch)...)
			rows = append(rows, batch...)
		}
	}
	third := len(batches) / 3
	publish(batches[:third])
	source.Await("message", len(rows)/2)
	killed := nodeWith(t, nodes)
	killed.signal(syscall.SIGKILL)
	killed.exit()
	delete(nodes, killed)
	publish(batches[third : 2*third])
	source.Await("hub.open", 2)
	source.Await("message", len(rows)/2)

	drained := nodeWith(t, nodes)
	drained.signal(syscall.SIGTERM)
	publish(batches[2*third:])
	if status := drained.exit(); status != 0 {
		t.Errorf("the drained node ended with status %d", status)
	}
	delete(nodes, drained)
	source.Await("hub.open", 3)
	expectQuotes(t, nodeWith(t, nodes).url, source, rows, ids)
}

// nodeWith returns the node that the browser listens to.
func nodeWith(t *testing.T, nodes map[*process]bool) *process {
	t.Helper()
	for limit := time.Now().Add(endTime); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		for p := range nodes {
			if listens(p) {
				return p
			}
		}
	}
	t.Fatal("no node has the browser")
	return nil
}

// nodeWithout returns a node that the browser does not listen to.
func nodeWithout(t *testing.T, nodes map[*process]bool) *process {
	t.Helper()
	for p := range nodes {
		if !listens(p) {
			return p
		}
	}
	t.Fatal("there is no node but the browser's")
	return nil
}

// listens reports whether somebody on the node listens to quotes.
func listens(p *process) bool {
	status, body := p.get("/topics/quotes.IBM")
	var topic struct{ Subscribers int }
	return status == http.StatusOK && json.Unmarshal([]byte(body), &topic) == nil && topic.Subscribers > 0
}
