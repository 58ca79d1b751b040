package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// largeBody is how much the clients of TestLargeBodies send if they are let.
	largeBody = 100 << 20
	// largeMemory is how much the hub may take for all of them, in KiB: a third of it,
	// and for the race detector the rest. One kind alone that was held would take more.
	largeMemory = 400 << 10
)

// TestLargeBodies: bodies of 100 MB, all at once, are refused as soon as they are
// over the limit, or read away, and never held.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "memory", "GOGC=50")
	before := p.memory("VmHWM")
	const post = "POST /publish?topic=large HTTP/1.1\r\nHost: x\r\nContent-Type: "
	var all sync.WaitGroup
	for name, x := range map[string]struct {
		head, first, again string
		status             int
	}{
		"JSON":               {post + "application/json", `{"data":"`, "x", 413},
		"JSON array":         {post + "application/json", `[`, `{"data":"x"},`, 413},
		"JSON spaces":        {post + "application/json", "", " ", 413},
		"raw":                {post + "text/plain", "", "x", 413},
		"form":               {post + "application/x-www-form-urlencoded", "", "a=b&", 413},
		"a line":             {post + "application/x-ndjson", `{"data":"`, "x", 413},
		"a deep line":        {post + "application/x-ndjson", `{"data":`, "[", 413},
		"empty lines":        {post + "application/x-ndjson", "", "\r\n", 200},
		"an event of a line": {post + "text/event-stream", "data: ", "x", 413},
		"an event of lines":  {post + "text/event-stream", "", "data: x\n", 413},
		"a name":             {post + "text/event-stream", "event: ", "x", 413},
		"a comment":          {post + "text/event-stream", ":", "x", 413},
		"comments":           {post + "text/event-stream", "", ": x\n", 413},
		"compressed":         {post + "application/json\r\nContent-Encoding: gzip", "\x1f\x8b", "\x00", 415},
		"compressed lines":   {post + "application/x-ndjson\r\nContent-Encoding: br", "", "\x00", 415},
		"compressed twice":   {post + "text/plain\r\nContent-Encoding: identity\r\nContent-Encoding: gzip", "", "x", 415},
		"another type":       {post + "text/html", "", "x", 415},
		"an end":             {"POST /topics/large/end HTTP/1.1\r\nHost: x\r\nX: y", "", "x", 413},
		"a cancel":           {"POST /topics/large/cancel HTTP/1.1\r\nHost: x\r\nX: y", "", "x", 413},
		"nothing":            {"POST /nowhere HTTP/1.1\r\nHost: x\r\nX: y", "", "x", 404},
		"a read":             {"GET /topics HTTP/1.1\r\nHost: x\r\nX: y", "", "x", 200},
	} {
		for _, chunked := range []bool{false, true} {
			all.Go(func() {
				status, body, err := p.pour(x.head, x.first, x.again, chunked)
				if err != nil || status != x.status {
					t.Errorf("%s, chunked: %t: %d %s, %v; want %d", name, chunked, status, body, err, x.status)
				}
			})
		}
	}
	all.Wait()
	if more := p.memory("VmHWM") - before; more > largeMemory {
		t.Errorf("they took %d KiB", more)
	}
	if status, body := p.get("/topics/large"); status != http.StatusNotFound {
		t.Errorf("something is stored: %d %s", status, body)
	}
}

// pour sends a body until all of it is sent, or there is an answer.
func (p *process) pour(head, first, again string, chunked bool) (status int, body string, err error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(2 * endTime)); err != nil {
		return 0, "", err
	}
	frame, piece, tail := "\r\nContent-Length: "+fmt.Sprint(largeBody)+"\r\n\r\n", strings.Repeat(again, 64<<10/len(again)), ""
	rest := largeBody - len(first)
	if chunked {
		frame, first, tail = "\r\nTransfer-Encoding: chunked\r\n\r\n", fmt.Sprintf("%x\r\n%s\r\n", len(first+again), first+again), "0\r\n\r\n"
		piece = fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		_, err := io.WriteString(conn, head+frame+first)
		for ; err == nil && rest > len(piece); rest -= len(piece) {
			_, err = io.WriteString(conn, piece)
		}
		if err == nil && !chunked {
			tail = piece[:rest]
		}
		if err == nil {
			_, _ = io.WriteString(conn, tail)
		}
	})
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(answer.Body)
	_ = conn.Close() // whoever still sends has heard enough
	return answer.StatusCode, string(text), err
}
