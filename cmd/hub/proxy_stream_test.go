//go:build unix

package main_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// proxies are those of deploy/.
var proxies = map[string]func(*testing.T, ...string) string{"HAProxy": startHAProxy, "nginx": startNginx}

// through returns the process as it is seen through a proxy.
func (p *process) through(proxy func(*testing.T, ...string) string) *process {
	p.t.Helper()
	return &process{t: p.t, url: proxy(p.t, strings.TrimPrefix(p.url, "http://")), client: p.client}
}

// Proxies hand each line of a stream in on at once, and each answer back,
// though the body goes on.
func TestProxiesPassStreamsIn(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "memory")
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edge := p.through(start)
			edge.t = t
			r, _ := edge.listen()
			send, finish := edge.streamIn()
			for i := range 10 {
				line := fmt.Sprintf("%s %d", name, i)
				send(`{"data":"` + line + `"}`)
				for block := ""; !strings.Contains(block, line); { // the other proxy's lines come too
					var ended bool
					if block, ended = r.block(); ended {
						t.Fatalf("the stream ends before %q", line)
					}
				}
			}
			send(`{"dta":1}`) // and the body stays open
			if status, answer, _ := finish(); status != http.StatusBadRequest || !strings.Contains(answer, `"published":10`) {
				t.Errorf("a bad line is answered %d %s", status, answer)
			}
			edge.wantEarlyAnswer("?topic=news", `"detail":"line 1: `)
			edge.wantEarlyAnswer("?tpoic=news", "tpoic")
		})
	}
}

// wantEarlyAnswer has curl send bad lines as fast as it can, without an end.
func (p *process) wantEarlyAnswer(query, want string) {
	p.t.Helper()
	curl := exec.CommandContext(p.t.Context(), "curl", "-sS", "-m", "60", "-X", "POST", "-H", "Content-Type: application/x-ndjson", "-T", "-", p.url+"/publish"+query)
	reader, writer := io.Pipe()
	curl.Stdin = reader
	go func() {
		for {
			if _, err := writer.Write([]byte(strings.Repeat("x\n", 1000))); err != nil {
				return
			}
		}
	}()
	curl.WaitDelay = time.Second
	out, err := curl.CombinedOutput()
	_ = reader.Close()
	if !strings.Contains(string(out), want) {
		p.t.Errorf("%s: curl says %q, %v", query, out, err)
	}
}

// A proxy ends a stream that is silent for too long. Blank lines are a sign of
// life.
func TestBlankLinesKeepStreamsInAlive(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "memory")
	for name, start := range map[string]func(*testing.T, ...string) string{"HAProxy": startHastyHAProxy, "nginx": startHastyNginx} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edge := p.through(start)
			edge.t = t
			sendAlive, finishAlive := edge.streamIn()
			sendAlive(`{"data":1}`)
			over := make(chan string, 1)
			go func() { over <- edge.beSilent() }()
			for silence := true; silence; {
				select {
				case answer := <-over:
					if strings.Contains(answer, "published") {
						t.Errorf("the silent stream is answered %s", answer)
					}
					silence = false
				case <-time.After(50 * time.Millisecond):
					sendAlive("")
				}
			}
			sendAlive(`{"dta":2}`)
			if status, answer, _ := finishAlive(); status != http.StatusBadRequest || !strings.Contains(answer, `"published":1`) {
				t.Errorf("the other stream is answered %d %s", status, answer)
			}
		})
	}
}

// beSilent sends one line of a stream and returns what comes until the
// connection ends.
func (p *process) beSilent() string {
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "POST /publish?topic=news HTTP/1.1\r\nHost: hub\r\nContent-Type: application/x-ndjson\r\n"+
		"Transfer-Encoding: chunked\r\n\r\nb\r\n{\"data\":1}\n\r\n")
	answer, _ := io.ReadAll(conn)
	return string(answer)
}
