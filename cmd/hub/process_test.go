//go:build unix

package main_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/redistest"
)

// process is a hub in a process of its own: this test's program, which runs
// main (see TestMain).
type process struct {
	t      *testing.T
	url    string
	log    hubLog
	cmd    *exec.Cmd
	ended  chan struct{}
	client *http.Client // each request has its own connection, but for HTTP/2
}

// startProcess starts a hub over a Redis of its own ("shared"), or over the bus
// that the environment names, by default memory. The environment may set more.
func startProcess(t *testing.T, bus string, env ...string) *process {
	t.Helper()
	return startProcessFor(t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}, bus, env...)
}

// startProcessFor is startProcess for another client.
func startProcessFor(t *testing.T, client *http.Client, bus string, env ...string) *process {
	t.Helper()
	if bus == "shared" {
		env = append(env, "HUB_REDIS="+redistest.Start(t).URL)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	client.Timeout = 2 * endTime
	p := &process{t: t, log: hubLog{listening: make(chan string, 1)}, cmd: exec.Command(program), ended: make(chan struct{}), client: client}
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HUB_") })
	p.cmd.Env = append(p.cmd.Env, "TEST_AS_HUB=1", "GORACE=atexit_sleep_ms=0", "HUB_ADDR=127.0.0.1:0", "HUB_ADMIN_ADDR=127.0.0.1:0")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // what it says is in ProcessState
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if strings.Contains(p.log.String(), "msg=panic") {
			t.Error("the hub has caught a panic")
		}
		if t.Failed() {
			t.Logf("the hub's log:\n%s", p.log.String())
		}
	})
	select {
	case p.url = <-p.log.listening:
	case <-p.ended:
		t.Fatalf("the hub ended: %s", p.log.String())
	case <-time.After(endTime):
		t.Fatalf("the hub does not listen: %s", p.log.String())
	}
	p.until("it is ready", func() bool { status, _ := p.get("/readyz"); return status == http.StatusOK })
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the process to end by itself and returns its exit status.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(endTime):
		p.t.Fatal("the hub does not end")
		return 0
	}
}

// until waits for a condition.
func (p *process) until(what string, holds func() bool) {
	p.t.Helper()
	for limit := time.Now().Add(endTime); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			p.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// get returns the answer's status and body, or 0 and what went wrong.
func (p *process) get(path string) (status int, body string) {
	return answered(p.client.Get(p.url + path))
}

func (p *process) publish(body io.Reader) (status int, answer string) {
	return answered(p.client.Post(p.url+"/publish?topic=news", "text/plain", body))
}

func answered(r *http.Response, err error) (int, string) {
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err.Error()
	}
	return r.StatusCode, string(text)
}

// slowPublish publishes with a body that stays open until finish is called.
// The hub waits for the rest of it when slowPublish returns.
func (p *process) slowPublish() (finish func() (status int, answer string)) {
	reader, writer := io.Pipe()
	var status int
	var answer string
	var publishing sync.WaitGroup
	publishing.Go(func() {
		request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/publish?topic=news", reader)
		if err != nil {
			answer = err.Error()
			return
		}
		// The hub says "continue" when its handler reads.
		request.Header.Set("Expect", "100-continue")
		transport := &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}
		status, answer = answered((&http.Client{Transport: transport}).Do(request))
	})
	_, _ = writer.Write([]byte("slow ")) // returns once the client reads the body
	p.t.Cleanup(func() { _ = writer.Close() })
	return func() (int, string) {
		_, _ = writer.Write([]byte("but complete"))
		_ = writer.Close()
		publishing.Wait()
		return status, answer
	}
}

// reader is an open stream.
type reader struct {
	t    *testing.T
	body io.ReadCloser
	text *bufio.Reader
}

// listen opens a stream and returns it with its first block.
func (p *process) listen() (*reader, string) {
	p.t.Helper()
	answer, err := p.client.Get(p.url + "/events?topic=news")
	if err != nil || answer.StatusCode != http.StatusOK {
		p.t.Fatalf("GET /events: %v, %v", answer, err)
	}
	r := newReader(p.t, answer)
	block, _ := r.block()
	return r, block
}

func newReader(t *testing.T, answer *http.Response) *reader {
	t.Cleanup(func() { _ = answer.Body.Close() })
	return &reader{t, answer.Body, bufio.NewReader(answer.Body)}
}

// block returns the next lines up to a blank one, or what there was before
// the stream ended.
func (r *reader) block() (block string, ended bool) {
	var lines strings.Builder
	for {
		line, err := r.text.ReadString('\n')
		if line == "\n" {
			return lines.String(), false
		}
		lines.WriteString(line)
		if err != nil {
			return lines.String(), true
		}
	}
}
