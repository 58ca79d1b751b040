//go:build unix

package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSmugglingPastProxies: whatever the form of a request, the hub takes as many
// requests as the proxy before it has seen, which is as many as it answers, and
// whoever comes next gets the answer to what it asked.
func TestSmugglingPastProxies(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, ...string) string{"haproxy": startHAProxy, "nginx": startNginx} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t, "memory")
			url := start(t, strings.TrimPrefix(p.url, "http://"))
			number := 100
			for name, text := range smuggled() {
				number++
				hidden := fmt.Sprint("smug.", number) // as long as the one in the text
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					answers := exchangeAll(t, strings.TrimPrefix(url, "http://"), strings.ReplaceAll(text, "smuggled", hidden))
					told := strings.Contains(strings.Join(answers, "\n"), `"topic":"`+hidden+`"`)
					if status, body := p.get("/topics/" + hidden); (status == http.StatusOK) != told {
						t.Errorf("the hub took it: %d %s; the client was told: %q", status, body, answers)
					}
				})
			}
			t.Cleanup(func() {
				for range 5 {
					if status, body := answered(p.client.Get(url + "/healthz")); status != http.StatusOK || body != `{"status":"ok"}` {
						t.Errorf("whoever comes next is answered %d %s", status, body)
					}
				}
			})
		})
	}
}

// smuggled returns requests in which something may hide a second one. Behind each
// of them stands one that ends the connection.
func smuggled() map[string]string {
	const (
		post    = "POST /publish?topic=first HTTP/1.1\r\nHost: x\r\n"
		chunked = "Transfer-Encoding: chunked\r\n"
		none    = "0\r\n\r\n" // of a chunked body
		hidden  = "POST /publish?topic=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
		last    = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(none+hidden))
	all := map[string]string{
		"a length and chunks":             post + length + chunked + "\r\n" + none + hidden,
		"chunks and a length":             post + chunked + length + "\r\n" + none + hidden,
		"a length of 0 and chunks":        post + "Content-Length: 0\r\n" + chunked + "\r\n" + none + hidden,
		"a short length and chunks":       post + "Content-Length: 3\r\n" + chunked + "\r\n" + none + hidden,
		"chunks in HTTP/1.0":              strings.Replace(post, "1.1", "1.0", 1) + "Connection: keep-alive\r\n" + chunked + "\r\n" + hidden,
		"chunks and a length in HTTP/1.0": strings.Replace(post, "1.1", "1.0", 1) + "Connection: keep-alive\r\n" + length + chunked + "\r\n" + none + hidden,
		"chunks of a read":                "GET /healthz HTTP/1.1\r\nHost: x\r\n" + length + chunked + "\r\n" + none + hidden,
		"a length of a read":              "GET /healthz HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + none + hidden,
		"a body of a stream":              "GET /events?topic=smuggled&last=a HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + none + hidden,
		"a refused body":                  post + "Content-Encoding: gzip\r\n" + length + "\r\n" + none + hidden,
		"a refused stream":                post + "Content-Type: application/x-ndjson\r\n" + chunked + "\r\n2\r\nx\n\r\n" + none + hidden,
		"two lengths":                     post + "Content-Length: 0\r\n" + length + "\r\n" + none + hidden,
		"a list of lengths":               post + "Content-Length: 0, 0\r\n\r\n" + hidden,
		"a length with a sign":            post + "Content-Length: +0\r\n\r\n" + hidden,
		"a length with a tab":             post + "Content-Length:\t0\r\n\r\n" + hidden,
		"a length with a space before":    post + "Content-Length : 0\r\n\r\n" + hidden,
		"a length in a header's line end": post + "X: y\nContent-Length: 0\r\n\r\n" + hidden,
		"a folded length":                 post + "Content-Length:\r\n 0\r\n\r\n" + hidden,
		"a header named twice by case":    post + "content-length: 0\r\nCONTENT-LENGTH: 0\r\n\r\n" + hidden,
		"an endless chunk":                post + chunked + "\r\nffffffffffffffffff\r\n" + hidden,
		"an extension with a line end":    post + chunked + "\r\n1;a=\nx\r\nx\r\n" + none + hidden,
		"a chunk that ends by a line end": post + chunked + "\r\n1\nx\n" + none + hidden,
		"a chunk with a sign":             post + chunked + "\r\n+1\r\nx\r\n" + none + hidden,
		"a trailer with a length":         post + chunked + "Trailer: Content-Length\r\n\r\n0\r\nContent-Length: 5\r\n\r\n" + hidden,
		"a trailer with chunks":           post + chunked + "\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" + hidden,
		"a line end in the target":        "POST /publish?topic=first%0d%0a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" + hidden,
		"HTTP/0.9":                        "GET /healthz\r\n" + hidden,
		"a whole target":                  "POST http://y/publish?topic=first HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" + hidden,
		"expecting to go on":              post + "Expect: 100-continue\r\n" + length + "\r\n" + none + hidden,
		"an upgrade":                      "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + hidden,
		"an upgrade to HTTP/2":            "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n" + hidden,
		"a header that is taken away":     post + "Connection: close, Content-Length\r\n" + length + "\r\n" + none + hidden,
	}
	for i, value := range []string{"xchunked", "chunked, identity", "gzip, chunked", "identity", "\x0bchunked", "\"chunked\"", "chunked\r\nTransfer-Encoding: x",
		"x\r\nTransfer-Encoding: chunked", "\r\n chunked", "chunKed", "chunked;a=b", ",chunked"} {
		all[fmt.Sprintf("coding %d, %q", i, value)] = post + length + "Transfer-Encoding: " + value + "\r\n\r\n" + none + hidden
	}
	all["a coding with a space before"] = post + length + "Transfer-Encoding : chunked\r\n\r\n" + none + hidden
	all["a coding behind a carriage return"] = post + length + "X: y\rTransfer-Encoding: chunked\r\n\r\n" + none + hidden
	all["a coding behind NUL"] = post + length + "X: y\x00Transfer-Encoding: chunked\r\n\r\n" + none + hidden
	for name := range all {
		all[name] += last
	}
	return all
}

// exchangeAll sends bytes, and returns the answers until the connection ends.
func exchangeAll(t *testing.T, addr, text string) (answers []string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(endTime)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, text) // it may be cut off before all is sent
	for r := bufio.NewReader(conn); ; {
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			return answers
		}
		body, err := io.ReadAll(answer.Body)
		answers = append(answers, answer.Status+" "+string(body))
		if err != nil {
			return answers
		}
	}
}
