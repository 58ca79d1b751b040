//go:build unix

package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The load: so many topics, and so many messages a second over all of them.
const (
	loadTopics = 100
	loadRate   = 200
	loadText   = 128
	stalled    = 100 // clients that read nothing of a topic of large messages
)

// TestLoad publishes to many subscribers and checks that each one gets every
// message of its topic once, in order, while others have stopped reading. Its
// short form runs with all tests, the full one by "make load".
func TestLoad(t *testing.T) {
	subscribers, span := 1000, 5*time.Second
	if text := os.Getenv("LOAD_SUBSCRIBERS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		subscribers, span = n, 45*time.Second
	}
	hub := startHub(t)
	addr := strings.TrimPrefix(hub.url, "http://")
	total := int(span.Seconds()) * loadRate / loadTopics // of each topic
	var reading sync.WaitGroup
	readers := make([]*loadReader, subscribers)
	for i := range readers {
		readers[i] = &loadReader{want: total}
		readers[i].open(t, addr, fmt.Sprint("load.", i%loadTopics))
	}
	idle := residentKiB(t)
	blocked := make([]net.Conn, stalled)
	for i := range blocked {
		blocked[i] = subscribe(t, addr, "large")
		defer blocked[i].Close()
	}
	for _, r := range readers {
		reading.Go(r.read)
	}
	begin := time.Now()
	publishLoad(t, hub.url, total, span)
	reading.Wait()
	took := time.Since(begin)

	var delivered atomic.Int64
	var delays []time.Duration
	for i, r := range readers {
		if r.err != nil {
			t.Errorf("subscriber %d: %v", i, r.err)
		}
		delivered.Add(int64(r.got))
		delays = append(delays, r.delays...)
	}
	slices.Sort(delays)
	grown := residentKiB(t) - idle
	t.Logf("%d subscribers, %d topics: %d of %d deliveries in %.1f s (%.0f/s), delay p50 %v, p99 %v, most %v; "+
		"the hub: %d KiB when idle, %d KiB more at the end, %d clients stalled", subscribers, loadTopics,
		delivered.Load(), subscribers*total, took.Seconds(), float64(delivered.Load())/took.Seconds(),
		delays[len(delays)/2], delays[len(delays)*99/100], delays[len(delays)-1], idle, grown, stalled)
	// Of the large topic, the store keeps 16 MiB and the log 1 MiB in two
	// forms; Go's collector lets memory double before it looks.
	if most := idle + 2*(40<<10+stalled*256); grown > most {
		t.Errorf("the hub grew by %d KiB, over %d", grown, most)
	}
	if span > 40*time.Second {
		awaitCut(t, blocked)
	}
}

// loadReader is one subscriber. It expects the numbers 1 to want.
type loadReader struct {
	conn   net.Conn
	want   int
	got    int
	delays []time.Duration
	err    error
}

func (r *loadReader) open(t *testing.T, addr, topic string) {
	r.conn = subscribe(t, addr, topic)
	t.Cleanup(func() { _ = r.conn.Close() })
}

// subscribe opens a stream and reads nothing of it.
func subscribe(t *testing.T, addr, topic string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET /events?topic=%s&since=all HTTP/1.1\r\nHost: load\r\n\r\n", topic); err != nil {
		t.Fatal(err)
	}
	return conn
}

func (r *loadReader) read() {
	in := bufio.NewReaderSize(r.conn, 1024)
	for r.got < r.want {
		if err := r.conn.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
			r.err = err
			return
		}
		line, err := in.ReadSlice('\n')
		if err != nil {
			r.err = fmt.Errorf("after %d of %d: %w", r.got, r.want, err)
			return
		}
		text, ok := strings.CutPrefix(string(line), "data: n ")
		if !ok {
			continue
		}
		var number int
		var sent int64
		if _, err := fmt.Sscan(text, &number, &sent); err != nil || number != r.got+1 {
			r.err = fmt.Errorf("%q came after number %d", line, r.got)
			return
		}
		r.got = number
		r.delays = append(r.delays, time.Since(time.Unix(0, sent)))
	}
}

// publishLoad publishes the numbers 1 to total to each topic, evenly over the
// span, and large messages beside them. Each topic has one publisher, which
// makes up for time that it lost; their turns are spread over the time.
func publishLoad(t *testing.T, url string, total int, span time.Duration) {
	const publishers = 10
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: publishers + 1}}
	defer client.CloseIdleConnections()
	var running sync.WaitGroup
	filler := strings.Repeat("x", loadText-32)
	every := span / time.Duration(total)
	begin := time.Now()
	for p := range publishers {
		running.Go(func() {
			next := begin.Add(every * time.Duration(p) / loadTopics)
			for n := 1; n <= total; n++ {
				for topic := p; topic < loadTopics; topic += publishers {
					time.Sleep(time.Until(next)) // a rate, not a condition
					next = next.Add(every * publishers / loadTopics)
					post(t, client, url, fmt.Sprint("load.", topic), fmt.Sprintf("n %d %d %s", n, time.Now().UnixNano(), filler))
				}
			}
		})
	}
	running.Go(func() {
		tick := time.NewTicker(span / 200)
		defer tick.Stop()
		for range 200 {
			<-tick.C
			post(t, client, url, "large", strings.Repeat("y", 100_000))
		}
	})
	running.Wait()
}

func post(t *testing.T, client *http.Client, url, topic, text string) {
	t.Helper()
	answer, err := client.Post(url+"/publish?topic="+topic, "text/plain", strings.NewReader(text))
	if err != nil {
		t.Error(err)
		return
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("publish: %s, %v", answer.Status, err)
	}
}

// awaitCut waits until the hub has given up all the stalled clients.
func awaitCut(t *testing.T, conns []net.Conn) {
	for i, c := range conns {
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, c)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			t.Fatalf("stalled client %d is still connected, after %d bytes", i, n)
		}
	}
	t.Logf("all %d stalled clients were cut", len(conns))
}

// residentKiB returns the memory of the hub's process, which is the grandchild
// of this one: "go run" stands between.
func residentKiB(t *testing.T) int {
	t.Helper()
	for _, child := range children(t, os.Getpid()) {
		for _, pid := range children(t, child) {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				continue
			}
			var kib int
			_, rest, found := strings.Cut(string(status), "VmRSS:")
			if _, err := fmt.Sscan(rest, &kib); found && err == nil && strings.Contains(string(status), "Name:\thub\n") {
				return kib
			}
		}
	}
	t.Fatal("the hub's process is not there")
	return 0
}

func children(t *testing.T, pid int) (pids []int) {
	t.Helper()
	lists, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, l := range lists {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, l.Name()))
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(field); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}
