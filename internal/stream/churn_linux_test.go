package stream_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/sse"
	"tickertape/internal/stream"
)

const (
	churnTopics  = 20
	churnWorkers = 50
	// roomy is by how much the heap may differ with what the hub happens to have
	// in its logs and pages: less than 200 bytes for each of 40,000 streams.
	roomy = 7 << 20
)

// TestChurn opens streams and drops them in every way while events are published
// to all of them. Nobody gets a byte that is not for them, or an event out of
// order; and when all are gone, so is what they took. Its short form runs with
// all tests, the full one by "make churn".
func TestChurn(t *testing.T) {
	connections := 2000
	if full := os.Getenv("CHURN"); full != "" {
		n, err := strconv.Atoi(full)
		if err != nil {
			t.Fatalf("CHURN is %q", full)
		}
		connections = n
	}
	startLoop(t, stream.Options{Stall: 2000 * time.Second}, func(n *node) {
		n.churn(connections / 4) // whatever is made once is there
		n.quiet(0)
		before := n.held()
		n.churn(connections)
		n.quiet(before.files)
		after := n.held()
		t.Logf("%d connections: %+v before, %+v after", connections, before, after)
		if after.goroutines > before.goroutines+2 || after.files > before.files || after.bytes > before.bytes+roomy {
			t.Errorf("held %+v before, and %+v after", before, after)
		}
	})
}

// held is what a process has.
type held struct {
	goroutines, files int
	bytes             uint64
}

func (n *node) held() held {
	n.t.Helper()
	runtime.GC()
	runtime.GC() // what the first one finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return held{runtime.NumGoroutine(), n.files(), m.HeapAlloc}
}

func (n *node) files() int {
	n.t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		n.t.Fatal(err)
	}
	return len(files)
}

// quiet waits until no stream is open, and no more files are than so many; 0
// means however many.
func (n *node) quiet(files int) {
	n.t.Helper()
	n.until("nothing is open", func() bool { return n.streams.Open() == 0 })
	n.until("no files are open", func() bool { return files == 0 || n.files() <= files })
}

// churn opens so many streams, some at a time, while it publishes.
func (n *node) churn(connections int) {
	n.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var publishing, reading sync.WaitGroup
	publishing.Go(func() { n.flood(ctx) })
	var left atomic.Int64
	left.Store(int64(connections))
	for range churnWorkers {
		reading.Go(func() {
			for left.Add(-1) >= 0 {
				if err := n.visit(); err != nil {
					n.t.Error(err)
					return
				}
			}
		})
	}
	reading.Wait()
	stop()
	publishing.Wait()
}

// flood publishes to all topics, each event with its topic and number.
func (n *node) flood(ctx context.Context) {
	fill := strings.Repeat("z", 3000)
	for i := 0; ctx.Err() == nil; i++ {
		batch := make([]event.Message, churnTopics)
		for k := range batch {
			topic := "t" + strconv.Itoa(k)
			batch[k] = event.Message{Topic: event.Topic(topic), Data: event.Data{Text: fmt.Sprintf("%s %d %s", topic, n.count.Add(1), fill[:rand.N(len(fill))])}}
		}
		if _, err := n.bus.Publish(ctx, batch); err != nil && ctx.Err() == nil {
			n.t.Error(err)
			return
		}
		time.Sleep(time.Millisecond) // else nothing but floods comes about
	}
}

// visit opens a stream of some topics, reads for a while, and goes in some way.
func (n *node) visit() error {
	conn, err := net.Dial("tcp", n.addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	tcp := conn.(*net.TCPConn)
	topics := map[string]int{}
	query := ""
	for range 1 + rand.N(3) {
		topic := "t" + strconv.Itoa(rand.N(churnTopics))
		topics[topic] = 0
	}
	for topic := range topics {
		query += "&topic=" + topic
	}
	if rand.N(10) == 0 { // reads little, so the kernel is full at times
		_ = tcp.SetReadBuffer(2 << 10)
	}
	if _, err := fmt.Fprintf(conn, "GET /?%s HTTP/1.1\r\nHost: x\r\n\r\n", query); err != nil {
		return err
	}
	if rand.N(20) == 0 {
		return tcp.SetLinger(0) // gone before the answer
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	if err := sip(answer.Body, topics, rand.N(40)); err != nil {
		return err
	}
	switch rand.N(5) {
	case 0:
		return tcp.SetLinger(0)
	case 1:
		err = tcp.CloseWrite()
	case 2:
		_, err = io.WriteString(conn, "x")
	case 3:
		time.Sleep(rand.N(10 * time.Millisecond)) // full, maybe
	}
	return err
}

// sip reads so many events, and checks that each is of one of the topics and
// follows on what came before of it.
func sip(body io.Reader, topics map[string]int, events int) error {
	d := sse.NewDecoder(body, 1<<20)
	for range events {
		e, err := d.Next()
		if err != nil {
			return err
		}
		if e.Name == hub.GapEvent { // it was too slow
			for topic := range topics {
				topics[topic] = 0
			}
		}
		if strings.HasPrefix(e.Name, "hub.") {
			continue
		}
		topic, rest, _ := strings.Cut(e.Data, " ")
		number, fill, _ := strings.Cut(rest, " ")
		last, asked := topics[topic]
		at, err := strconv.Atoi(number)
		if err != nil || !asked || last != 0 && at != last+churnTopics || strings.Trim(fill, "z") != "" {
			return fmt.Errorf("behind %d came %q %.100q of %v", last, e.Name, e.Data, topics)
		}
		topics[topic] = at
	}
	return nil
}
