package web_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// hidden is a request that stands where another one's body may end, or not.
const hidden = "POST /publish?topic=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"

// shape is a request in which another one may hide, and the status of the only
// answer.
type shape struct{ text, status string }

const (
	firstPost = "POST /publish?topic=first HTTP/1.1\r\nHost: x\r\n"
	inChunks  = "Transfer-Encoding: chunked\r\n"
	noMore    = "0\r\n\r\n" // of a body in chunks
)

// TestSmuggling: where two programs may not agree on the end of a body, or of a
// header, nothing behind the first request is taken for a second one.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	number := 100
	for _, shapes := range []map[string]shape{codings(), lengths(), bodies()} {
		for name, x := range shapes {
			number++
			topic := fmt.Sprint("smug.", number) // as long as the one in the text
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				got := n.raw(t, strings.Replace(x.text, "smuggled", topic, 1))
				if !strings.HasPrefix(got, "HTTP/1.1 "+x.status+" ") && !strings.HasPrefix(got, "HTTP/1.0 "+x.status+" ") {
					t.Errorf("got %.100q, want %s", got, x.status)
				}
				if strings.Count(got, "HTTP/1.") > 1 {
					t.Errorf("there are several answers: %q", got)
				}
				if stored := n.storedOf(t, topic); len(stored) > 0 {
					t.Error("the second request was taken")
				}
			})
		}
	}
}

// codings are requests that say how their bodies are coded.
func codings() map[string]shape {
	length := fmt.Sprintf("Content-Length: %d\r\n", len(noMore+hidden))
	return map[string]shape{
		"a length and chunks":              {firstPost + length + inChunks + "\r\n" + noMore + hidden, "200"},
		"chunks and a length":              {firstPost + inChunks + length + "\r\n" + noMore + hidden, "200"},
		"a length of 0 and chunks":         {firstPost + "Content-Length: 0\r\n" + inChunks + "\r\n1\r\nx\r\n" + noMore + hidden, "200"},
		"chunks of a JSON message":         {firstPost + "Content-Type: application/json\r\n" + length + inChunks + "\r\nc\r\n{\"data\":\"x\"}\r\n" + noMore + hidden, "200"},
		"chunks of a stream":               {firstPost + "Content-Type: application/x-ndjson\r\n" + length + inChunks + "\r\nb\r\n{\"data\":1}\n\r\n" + noMore + hidden, "200"},
		"chunks of a stream with an error": {firstPost + "Content-Type: application/x-ndjson\r\n" + length + inChunks + "\r\n2\r\nx\n\r\n" + noMore + hidden, "400"},
		"chunks of events":                 {firstPost + "Content-Type: text/event-stream\r\n" + length + inChunks + "\r\n9\r\ndata: x\n\n\r\n" + noMore + hidden, "200"},
		"chunks after a read":              {"GET /healthz HTTP/1.1\r\nHost: x\r\n" + length + inChunks + "\r\n" + noMore + hidden, "200"},
		"chunks in HTTP/1.0":               {"POST /publish?topic=first HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n" + inChunks + "\r\n" + hidden, "200"},
		"chunks of a read in HTTP/1.0":     {"GET /healthz HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n" + inChunks + "\r\n" + hidden, "200"},

		"xchunked":                         {firstPost + length + "Transfer-Encoding: xchunked\r\n\r\n" + noMore + hidden, "501"},
		"chunked, in a list":               {firstPost + length + "Transfer-Encoding: gzip, chunked\r\n\r\n" + noMore + hidden, "501"},
		"chunked, identity":                {firstPost + length + "Transfer-Encoding: chunked, identity\r\n\r\n" + noMore + hidden, "501"},
		"chunked twice":                    {firstPost + length + inChunks + inChunks + "\r\n" + noMore + hidden, "501"},
		"chunked and another":              {firstPost + length + inChunks + "Transfer-Encoding: x\r\n\r\n" + noMore + hidden, "501"},
		"chunked with a form feed":         {firstPost + length + "Transfer-Encoding: \x0cchunked\r\n\r\n" + noMore + hidden, "400"},
		"chunked in quotes":                {firstPost + length + "Transfer-Encoding: \"chunked\"\r\n\r\n" + noMore + hidden, "501"},
		"chunked with a space before":      {firstPost + length + "Transfer-Encoding : chunked\r\n\r\n" + noMore + hidden, "400"},
		"chunked with a space in front":    {firstPost + length + " Transfer-Encoding: chunked\r\n\r\n" + hidden, "400"},
		"chunked in a line of its own":     {firstPost + "Transfer-Encoding:\r\n chunked\r\n\r\n" + noMore + hidden, "200"},
		"chunked behind a carriage return": {firstPost + length + "X: y\rTransfer-Encoding: chunked\r\n\r\n" + noMore + hidden, "400"},
	}
}

// lengths are requests whose lengths, or lines, are odd.
func lengths() map[string]shape {
	return map[string]shape{
		"two lengths":            {firstPost + "Content-Length: 1\r\nContent-Length: 0\r\n\r\n" + hidden, "400"},
		"a list of lengths":      {firstPost + "Content-Length: 0, 1\r\n\r\n" + hidden, "400"},
		"a length with a sign":   {firstPost + "Content-Length: +0\r\n\r\n" + hidden, "400"},
		"a negative length":      {firstPost + "Content-Length: -1\r\n\r\n" + hidden, "400"},
		"a hexadecimal length":   {firstPost + "Content-Length: 0x0\r\n\r\n" + hidden, "400"},
		"a length with a space":  {firstPost + "Content-Length: 0 0\r\n\r\n" + hidden, "400"},
		"an empty length":        {firstPost + "Content-Length:\r\n\r\n" + hidden, "400"},
		"an endless length":      {firstPost + "Content-Length: 18446744073709551616\r\n\r\n" + hidden, "400"},
		"a space before a colon": {firstPost + "Content-Length : 0\r\n\r\n" + hidden, "400"},
		"NUL in a header":        {firstPost + "X: a\x00b\r\nContent-Length: 0\r\n\r\n" + hidden, "400"},
		"NUL in a name":          {firstPost + "X\x00: b\r\nContent-Length: 0\r\n\r\n" + hidden, "400"},
		"no host":                {"POST /publish?topic=first HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + hidden, "400"},
		"two hosts":              {firstPost + "Host: y\r\nContent-Length: 0\r\n\r\n" + hidden, "400"},
		"HTTP/0.9":               {"GET /healthz\r\n" + hidden, "400"},
		"HTTP/1.2":               {"GET /healthz HTTP/9.1\r\nHost: x\r\n\r\n" + hidden, "505"},
		"spaces in the target":   {"POST /publish?topic=first HTTP/1.1 x HTTP/1.1\r\nHost: x\r\n\r\n" + hidden, "400"},
	}
}

// bodies are requests whose bodies are odd, or of no use.
func bodies() map[string]shape {
	length := fmt.Sprintf("Content-Length: %d\r\n", len(noMore+hidden))
	return map[string]shape{
		"a chunk too large to count":   {firstPost + inChunks + "\r\n10000000000000000\r\n" + hidden, "400"},
		"a chunk without a size":       {firstPost + inChunks + "\r\n\r\n" + hidden, "400"},
		"a chunk with a sign":          {firstPost + inChunks + "\r\n+1\r\nx\r\n" + noMore + hidden, "400"},
		"a chunk with 0x":              {firstPost + inChunks + "\r\n0x1\r\nx\r\n" + noMore + hidden, "400"},
		"a chunk that ends early":      {firstPost + inChunks + "\r\n5\r\nx\r\n" + noMore + hidden, "400"},
		"a chunk that ends late":       {firstPost + inChunks + "\r\n1\r\nxy\r\n" + noMore + hidden, "400"},
		"an extension with a line end": {firstPost + inChunks + "\r\n1;a=\nx\r\nx\r\n" + noMore + hidden, "400"},
		"endless extensions":           {firstPost + inChunks + "\r\n" + strings.Repeat("1;"+strings.Repeat("a", 4000)+"\r\nx\r\n", 20) + noMore + hidden, "400"},
		"a trailer with a length":      {firstPost + inChunks + "Trailer: Content-Length\r\n\r\n" + noMore[:3] + "Content-Length: 5\r\n\r\n" + hidden, "400"},
		"a trailer unannounced":        {firstPost + inChunks + "\r\n1\r\nx\r\n0\r\nTransfer-Encoding: x\r\n\r\n" + hidden, "200"},

		"a body of a stream":    {"GET /events?topic=first HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + noMore + hidden, "200"},
		"behind a stream":       {"GET /events?topic=first HTTP/1.1\r\nHost: x\r\n\r\n" + hidden, "200"},
		"in a body of no use":   {"GET /healthz HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + noMore + hidden, "200"},
		"in a refused body":     {firstPost + "Content-Encoding: gzip\r\n" + length + "\r\n" + noMore + hidden, "415"},
		"in a body without way": {"POST /nowhere HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + noMore + hidden, "404"},
	}
}

// raw sends bytes on a connection of its own, closes its half of it, and returns
// all that comes back.
func (n *node) raw(t *testing.T, text string) string {
	t.Helper()
	conn := n.dial(t)
	_, _ = io.WriteString(conn, text) // it may be cut off before all is sent
	_ = conn.(*net.TCPConn).CloseWrite()
	got, _ := io.ReadAll(conn) // or by a reset at its end
	return string(got)
}

// storedOf returns what the topic holds.
func (n *node) storedOf(t *testing.T, topic string) (data []string) {
	t.Helper()
	for _, e := range n.stored(t) {
		if string(e.Topic) == topic {
			data = append(data, e.Data.Text)
		}
	}
	return data
}

// TestRequestsBehindEachOther: what surely are two requests are taken as two.
func TestRequestsBehindEachOther(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	got := n.raw(t, "POST /publish?topic=first HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"+hidden)
	if strings.Count(got, "HTTP/1.1 200 OK") != 2 || len(n.storedOf(t, "smuggled")) != 1 {
		t.Errorf("got %q", got)
	}
	// So they are in the whole form that proxies are asked in, whose host counts.
	got = n.raw(t, "POST http://hub.example/publish?topic=whole HTTP/1.1\r\nHost: other\r\nContent-Length: 1\r\n\r\nx")
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK") || len(n.storedOf(t, "whole")) != 1 {
		t.Errorf("got %q", got)
	}
	got = n.raw(t, "POST http://evil.example/publish?topic=own HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nContent-Length: 1\r\n\r\nx")
	if !strings.HasPrefix(got, "HTTP/1.1 403 ") || len(n.storedOf(t, "own")) != 0 {
		t.Errorf("got %q", got)
	}
}

// TestTrailersSayNothing: what comes behind a body does not count for a header.
func TestTrailersSayNothing(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: i.authority(nil)}})
	token := "Authorization: Bearer " + i.token(claims{"publish": "**"}) + "\r\n"
	for name, text := range map[string]string{
		"announced":   "Trailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + token + "\r\n",
		"unannounced": "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + token + "\r\n",
	} {
		for _, media := range []string{"text/plain", "application/x-ndjson"} {
			if got := n.raw(t, "POST /publish?topic=a HTTP/1.1\r\nHost: x\r\nContent-Type: "+media+"\r\n"+text); !strings.HasPrefix(got, "HTTP/1.1 401 ") {
				t.Errorf("%s, %s: got %.200q", name, media, got)
			}
		}
	}
	if stored := n.stored(t); len(stored) > 0 {
		t.Errorf("stored %v", stored)
	}
}
