package main_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"tickertape/internal/redistest"
)

// TestFlood: more connections than the hub may have files, all at once, keep out
// those who come new, but neither those who are in, nor operators, nor the hub
// from its store; the log says why, and when the flood goes, all is well at once.
func TestFlood(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"silent":       "",
		"half a head":  "GET /events?topic=news HTTP/1.1\r\nHost: x\r\n",
		"half a body":  "POST /publish?topic=other HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx",
		"half a line":  "POST /publish?topic=other HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100\r\n\r\n{",
		"over and out": "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"streams":      "GET /events?topic=other HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flood(t, head)
		})
	}
}

func flood(t *testing.T, head string) {
	redis := redistest.Start(t)
	p := startProcess(t, "", "HUB_REDIS="+redis.URL, "TEST_FILES=200")
	inside := &http.Client{Transport: &http.Transport{}, Timeout: endTime}
	t.Cleanup(inside.CloseIdleConnections)
	fair, _ := p.listen()
	serves := func(when string) {
		t.Helper()
		status, answer := answered(inside.Post(p.url+"/publish?topic=news", "text/plain", strings.NewReader(when)))
		if status != http.StatusOK {
			t.Fatalf("%s: who is in is answered %d %s", when, status, answer)
		}
		if block, ended := fair.block(); ended || !strings.HasSuffix(block, "data: "+when+"\n") {
			t.Fatalf("%s: who is in hears %q", when, block)
		}
	}
	serves("before")
	var all []net.Conn
	for range 400 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, head) // it may be cut off
		all = append(all, conn)
	}
	if !strings.HasPrefix(head, "GET /events") || !strings.HasSuffix(head, "\r\n\r\n") { // of streams, some are sent away
		p.until("the log says that files are short", func() bool { return strings.Contains(p.log.String(), "files are short") })
	}
	serves("in the flood")
	redis.KillClients("normal")
	p.until("metrics tell that the store is back", func() bool { return p.metric("tickertape_bus_ready") == 1 })
	serves("with a new way to the store")
	for _, c := range all {
		_ = c.Close()
	}
	began := time.Now()
	if status, answer := p.get("/readyz"); status != http.StatusOK {
		t.Errorf("then it says %d %s", status, answer)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it takes new ones after %v", took)
	}
	serves("after")
}
