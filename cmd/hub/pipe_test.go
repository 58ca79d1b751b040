//go:build unix

package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tickertape/internal/redistest"
)

// TestPipe sends numbered lines through "publisher pipe", by a proxy that cuts
// its connection again and again and leads it to the other of two nodes. In
// the middle the node in use is killed. Every line arrives once, in order: in
// the store, and at a listener who goes through the same. Its short form runs
// with all tests, the full one by "make pipe".
func TestPipe(t *testing.T) {
	t.Parallel()
	lines, cuts := 30_000, 8
	if text := os.Getenv("PIPE_LINES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		lines, cuts = n, max(cuts, n/25_000)
	}
	redis := redistest.Start(t)
	var nodes []*process
	for range 2 {
		nodes = append(nodes, startProcess(t, "", "HUB_REDIS="+redis.URL, "HUB_RETAIN_MESSAGES=10000000", "HUB_RETAIN_BYTES=4GiB"))
	}
	way := newWay(t, nodes)
	heard := listenToLines(t, way)
	begin := time.Now()
	publisher := startPipe(t, way.proxy.Addr, lines, lines/(cuts+1))
	for cut := range cuts {
		publisher.awaitPart(t)
		if cut == cuts/2 {
			way.kill()
		} else {
			way.cut()
		}
	}
	publisher.await(t)
	heard.await(t, lines, publisher)
	took := time.Since(begin)
	heard.judge(t, lines)
	expectRetained(t, way.node().url, lines)
	t.Logf("%d lines in %.1f s (%.0f a second), %d cuts, one node killed; the listener opened %d streams",
		lines, took.Seconds(), float64(lines)/took.Seconds(), cuts, heard.opened())
	t.Logf("publisher said: %s", publisher.stderr.String())
}

// way is what lies between clients and nodes.
type way struct {
	proxy *redistest.Proxy
	nodes []*process // the first one is in use
}

func newWay(t *testing.T, nodes []*process) *way {
	w := &way{nodes: nodes}
	w.proxy = redistest.StartProxy(t, w.addr())
	return w
}

func (w *way) node() *process { return w.nodes[0] }

func (w *way) addr() string { return strings.TrimPrefix(w.node().url, "http://") }

// cut breaks all connections; the next ones lead to another node.
func (w *way) cut() {
	w.nodes = slices.Concat(w.nodes[1:], w.nodes[:1])
	w.proxy.Target(w.addr())
	w.proxy.Cut()
}

// kill ends the node in use without a word.
func (w *way) kill() {
	killed := w.node()
	w.nodes = w.nodes[1:]
	killed.signal(syscall.SIGKILL)
	killed.exit()
	w.proxy.Target(w.addr())
}

// pipe is a publisher in a process of its own.
type pipe struct {
	parts  chan struct{} // takes a token when the publisher has taken a part of its input
	ended  chan struct{}
	err    error
	stderr lockedText
}

// padding makes lines so long that few of them fit between the test and the
// publisher: when a part of them is written, the publisher is in the midst of
// it.
var padding = strings.Repeat(".", 100)

// startPipe has a publisher publish the numbers from 1 to lines. It tells of
// each part of them.
func startPipe(t *testing.T, addr string, lines, part int) *pipe {
	t.Helper()
	program := filepath.Join(t.TempDir(), "publisher")
	if out, err := exec.Command("go", "build", "-o", program, "../publisher").CombinedOutput(); err != nil {
		t.Fatalf("build publisher: %v\n%s", err, out)
	}
	p := &pipe{parts: make(chan struct{}, lines/part), ended: make(chan struct{})}
	cmd := exec.CommandContext(t.Context(), program, "pipe", "lines", "--url", "http://"+addr)
	cmd.Stderr = &p.stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		defer input.Close()
		w := bufio.NewWriter(input)
		for n := range lines {
			if _, err := fmt.Fprintln(w, n+1, padding); err != nil {
				return // it ended: its exit status says why
			}
			if (n+1)%part == 0 {
				p.parts <- struct{}{}
			}
		}
		_ = w.Flush()
	})
	running.Go(func() {
		defer close(p.ended)
		p.err = cmd.Wait()
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		running.Wait()
	})
	return p
}

// awaitPart waits until the publisher has taken one more part of its input.
func (p *pipe) awaitPart(t *testing.T) {
	t.Helper()
	select {
	case <-p.parts:
	case <-p.ended:
		t.Fatalf("publisher ended too early: %v: %s", p.err, p.stderr.String())
	case <-time.After(linesTime):
		t.Fatalf("publisher takes no more: %s", p.stderr.String())
	}
}

// await waits until the publisher has ended well.
func (p *pipe) await(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(linesTime):
		t.Fatalf("publisher does not end: %s", p.stderr.String())
	}
	if p.err != nil {
		t.Fatalf("publisher: %v: %s", p.err, p.stderr.String())
	}
}

// linesTime is how long the next part of the lines may take.
const linesTime = 2 * time.Minute

// expectRetained reads how many lines the store has.
func expectRetained(t *testing.T, url string, lines int) {
	t.Helper()
	status, body := answered(http.Get(url + "/topics/lines"))
	var topic struct{ Retained int }
	if err := json.Unmarshal([]byte(body), &topic); status != http.StatusOK || err != nil {
		t.Fatalf("GET /topics/lines: %d %s", status, body)
	}
	if topic.Retained != lines {
		t.Errorf("the store has %d lines instead of %d", topic.Retained, lines)
	}
}

// lockedText is what a process has written so far.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
