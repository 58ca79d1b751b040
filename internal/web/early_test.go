package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tickertape/internal/nodetest"
)

// flow is the rest of a body after a bad line: it has no end.
type flow struct {
	ctx   context.Context
	first string
	pause time.Duration // before each line; 0: as fast as can be
}

func (f *flow) Read(p []byte) (int, error) {
	if f.first != "" {
		n := copy(p, f.first)
		f.first = f.first[n:]
		return n, nil
	}
	if f.pause > 0 {
		select {
		case <-time.After(f.pause):
		case <-f.ctx.Done():
		}
	}
	if f.ctx.Err() != nil {
		return 0, io.EOF
	}
	if f.pause > 0 {
		return copy(p, "{\"data\":3}\n"), nil
	}
	return copy(p, bytes.Repeat([]byte("{\"data\":3}\n"), len(p)/11+1)), nil
}

// nodeHTTP uploads its standard input and prints the answer, by Node's oldest
// client; nodeFetch does it by its newest.
const (
	nodeHTTP = `const q = require('http').request(process.argv[1], {method: 'POST', headers: {'Content-Type': 'application/x-ndjson'}}, r => {
	r.setEncoding('utf8'); let body = ''; r.on('data', d => body += d);
	r.on('end', () => { console.log(body); process.exit(0); }); });
q.on('error', e => { console.log(e); process.exit(1); });
process.stdin.pipe(q);`
	nodeFetch = `const {Readable} = require('stream');
fetch(process.argv[1], {method: 'POST', duplex: 'half', headers: {'Content-Type': 'application/x-ndjson'}, body: Readable.toWeb(process.stdin)})
	.then(r => r.text()).then(body => { console.log(body); process.exit(0); }, e => { console.log(e); process.exit(1); });`
)

// An answer that comes in the middle of the body reaches whoever sends it.
func TestEarlyErrorReachesClients(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]time.Duration{"fast": 0, "slow": 20 * time.Millisecond} {
		for client, command := range map[string][]string{
			"curl":       {"curl", "-sS", "-X", "POST", "-H", "Content-Type: application/x-ndjson", "-T", "-", "URL"},
			"node http":  {"node", "-e", nodeHTTP, "URL"},
			"node fetch": {"node", "-e", nodeFetch, "URL"},
			"Go":         nil,
		} {
			t.Run(client+", "+name, func(t *testing.T) {
				t.Parallel()
				n := startNode(t, nodetest.Options{})
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				body := &flow{ctx, "{\"data\":1}\n{\"data\":x}\n", pause}
				url := n.URL + "/publish?topic=t"
				var got []byte
				if command == nil {
					got = postFlow(t, ctx, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, url, body)
				} else {
					got = runFlow(t, ctx, command, url, body)
				}
				var p problem
				if err := json.Unmarshal(got, &p); err != nil || !strings.HasPrefix(p.Detail, "line 2: ") || p.Published == nil || *p.Published != 1 {
					t.Errorf("the client got %q", got)
				}
				if texts := n.texts(t); texts != "t 1" {
					t.Errorf("stored %q", texts)
				}
			})
		}
	}
}

func postFlow(t *testing.T, ctx context.Context, client *http.Client, url string, body io.Reader) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", ndjsonType)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("the answer breaks off: %v", err)
	}
	return got
}

// runFlow runs a program with the body as its input and returns what it says.
func runFlow(t *testing.T, ctx context.Context, command []string, url string, body io.Reader) []byte {
	t.Helper()
	args := append([]string(nil), command[1:]...)
	for i := range args {
		if args[i] == "URL" {
			args[i] = url
		}
	}
	var out, faults bytes.Buffer
	c := exec.CommandContext(ctx, command[0], args...)
	c.Stdin, c.Stdout, c.Stderr, c.WaitDelay = body, &out, &faults, time.Second
	if err := c.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		t.Errorf("%s: %v: %s", command[0], err, faults.Bytes())
	}
	return out.Bytes()
}

// Over HTTP/2 a stream ends without harm to the others of its connection.
func TestEarlyAnswersOverHTTP2(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	server := httptest.NewUnstartedServer(n.Web)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	reused := 0
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if i.Reused {
			reused++
		}
	}})
	const url = "/publish?topic=t"
	for i, row := range []struct {
		path string
		body io.Reader
		want string
	}{
		{url, strings.NewReader("{\"data\":0}\n"), `{"published":1,`},
		{url, &flow{ctx, "{\"data\":1}\n{\"data\":x}\n", 0}, `"published":1`},
		{url, &flow{ctx, "{\"data\":2}\n{\"data\":x}\n", 20 * time.Millisecond}, `"detail":"line 2: `},
		{url + "&tpoic=t", &flow{ctx, "", 0}, "tpoic"},
		{url, strings.NewReader("{\"data\":3}\n"), `{"published":1,`},
	} {
		if got := postFlow(t, traced, server.Client(), server.URL+row.path, row.body); !strings.Contains(string(got), row.want) {
			t.Errorf("request %d is answered %q", i, got)
		}
	}
	if texts := n.texts(t); texts != "t 0, t 1, t 2, t 3" || reused != 4 {
		t.Errorf("stored %q over a connection that was taken again %d times", texts, reused)
	}
}
