//go:build unix

package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
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

	"tickertape/internal/client"
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
		lines, cuts = n, max(cuts, n/100_000)
	}
	redis := redistest.Start(t)
	var nodes []*process
	for range 2 {
		nodes = append(nodes, startProcess(t, "", "HUB_REDIS="+redis.URL, "HUB_RETAIN_MESSAGES=10000000", "HUB_RETAIN_BYTES=4GiB"))
	}
	way := newWay(t, nodes)
	heard := listenToLines(t, way)
	publisher := startPipe(t, way.proxy.Addr, lines)

	begin := time.Now()
	for cut := range cuts {
		heard.await(t, lines*(cut+1)/(cuts+1), publisher)
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
	ended  chan struct{}
	err    error
	stderr lockedText
}

// startPipe has a publisher publish the numbers from 1 to lines.
func startPipe(t *testing.T, addr string, lines int) *pipe {
	t.Helper()
	program := filepath.Join(t.TempDir(), "publisher")
	if out, err := exec.Command("go", "build", "-o", program, "../publisher").CombinedOutput(); err != nil {
		t.Fatalf("build publisher: %v\n%s", err, out)
	}
	p := &pipe{ended: make(chan struct{})}
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
			if _, err := fmt.Fprintln(w, n+1); err != nil {
				return // it ended: its exit status says why
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

// lineListener checks that lines come once, in order.
type lineListener struct {
	mu    sync.Mutex
	last  int
	opens int
	wrong []string
	more  chan struct{} // closed and replaced when a line has come
}

func listenToLines(t *testing.T, w *way) *lineListener {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	hub, err := client.New("http://"+w.proxy.Addr, client.Options{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	l := &lineListener{more: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_, err := hub.Listen(ctx, client.ListenOptions{Topics: []string{"lines"}, All: true},
			client.Handler{Event: l.event, Gap: l.gap, State: l.state})
		if !errors.Is(err, context.Canceled) {
			l.complain("the stream ended: %v", err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
	return l
}

func (l *lineListener) event(e client.Event) error {
	data, err := e.Text()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, err := strconv.Atoi(data.Text); err != nil || n != l.last+1 {
		l.wrong = append(l.wrong, fmt.Sprintf("%q came behind %d", data.Text, l.last))
	} else {
		l.last = n
	}
	close(l.more)
	l.more = make(chan struct{})
	return nil
}

func (l *lineListener) gap(g client.Gap) error {
	l.complain("a gap of %s: %s", g.Topic, g.Reason)
	return nil
}

func (l *lineListener) state(s client.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Connected {
		l.opens++
	}
}

func (l *lineListener) complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// await waits until the line has come.
func (l *lineListener) await(t *testing.T, line int, p *pipe) {
	t.Helper()
	limit := time.After(linesTime)
	for {
		l.mu.Lock()
		last, more, wrong := l.last, l.more, l.wrong
		l.mu.Unlock()
		if last >= line {
			return
		}
		if len(wrong) > 0 {
			t.Fatalf("of %d things that are wrong, the first: %s", len(wrong), wrong[0])
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("line %d has come, line %d has not; publisher says: %s", last, line, p.stderr.String())
		}
	}
}

func (l *lineListener) judge(t *testing.T, lines int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) > 0 || l.last != lines {
		t.Errorf("the last line is %d of %d; wrong: %.500q", l.last, lines, l.wrong)
	}
}

func (l *lineListener) opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opens
}

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
