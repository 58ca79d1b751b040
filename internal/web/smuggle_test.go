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

// TestSmuggling: where two programs may not agree on the end of a body, or of a
// header, nothing behind the first request is taken for a second one.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	const (
		post    = "POST /publish?topic=first HTTP/1.1\r\nHost: x\r\n"
		chunked = "Transfer-Encoding: chunked\r\n"
		none    = "0\r\n\r\n" // of a chunked body
	)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(none+hidden))
	number := 100
	for name, x := range map[string]struct {
		text   string
		status string // of the only answer
	}{
		"a length and chunks":              {post + length + chunked + "\r\n" + none + hidden, "200"},
		"chunks and a length":              {post + chunked + length + "\r\n" + none + hidden, "200"},
		"a length of 0 and chunks":         {post + "Content-Length: 0\r\n" + chunked + "\r\n1\r\nx\r\n" + none + hidden, "200"},
		"chunks of a JSON message":         {post + "Content-Type: application/json\r\n" + length + chunked + "\r\nc\r\n{\"data\":\"x\"}\r\n" + none + hidden, "200"},
		"chunks of a stream":               {post + "Content-Type: application/x-ndjson\r\n" + length + chunked + "\r\nb\r\n{\"data\":1}\n\r\n" + none + hidden, "200"},
		"chunks of a stream with an error": {post + "Content-Type: application/x-ndjson\r\n" + length + chunked + "\r\n2\r\nx\n\r\n" + none + hidden, "400"},
		"chunks of events":                 {post + "Content-Type: text/event-stream\r\n" + length + chunked + "\r\n9\r\ndata: x\n\n\r\n" + none + hidden, "200"},
		"chunks after a read":              {"GET /healthz HTTP/1.1\r\nHost: x\r\n" + length + chunked + "\r\n" + none + hidden, "200"},
		"chunks in HTTP/1.0":               {"POST /publish?topic=first HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n" + chunked + "\r\n" + hidden, "200"},
		"chunks of a read in HTTP/1.0":     {"GET /healthz HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n" + chunked + "\r\n" + hidden, "200"},

		"xchunked":                         {post + length + "Transfer-Encoding: xchunked\r\n\r\n" + none + hidden, "501"},
		"chunked, in a list":               {post + length + "Transfer-Encoding: gzip, chunked\r\n\r\n" + none + hidden, "501"},
		"chunked, identity":                {post + length + "Transfer-Encoding: chunked, identity\r\n\r\n" + none + hidden, "501"},
		"chunked twice":                    {post + length + chunked + chunked + "\r\n" + none + hidden, "501"},
		"chunked and another":              {post + length + chunked + "Transfer-Encoding: x\r\n\r\n" + none + hidden, "501"},
		"chunked with a form feed":         {post + length + "Transfer-Encoding: \x0cchunked\r\n\r\n" + none + hidden, "400"},
		"chunked in quotes":                {post + length + "Transfer-Encoding: \"chunked\"\r\n\r\n" + none + hidden, "501"},
		"chunked with a space before":      {post + length + "Transfer-Encoding : chunked\r\n\r\n" + none + hidden, "400"},
		"chunked with a space in front":    {post + length + " Transfer-Encoding: chunked\r\n\r\n" + hidden, "400"},
		"chunked in a line of its own":     {post + "Transfer-Encoding:\r\n chunked\r\n\r\n" + none + hidden, "200"},
		"chunked behind a carriage return": {post + length + "X: y\rTransfer-Encoding: chunked\r\n\r\n" + none + hidden, "400"},

		"two lengths":            {post + "Content-Length: 1\r\nContent-Length: 0\r\n\r\n" + hidden, "400"},
		"a list of lengths":      {post + "Content-Length: 0, 1\r\n\r\n" + hidden, "400"},
		"a length with a sign":   {post + "Content-Length: +0\r\n\r\n" + hidden, "400"},
		"a negative length":      {post + "Content-Length: -1\r\n\r\n" + hidden, "400"},
		"a hexadecimal length":   {post + "Content-Length: 0x0\r\n\r\n" + hidden, "400"},
		"a length with a space":  {post + "Content-Length: 0 0\r\n\r\n" + hidden, "400"},
		"an empty length":        {post + "Content-Length:\r\n\r\n" + hidden, "400"},
		"an endless length":      {post + "Content-Length: 18446744073709551616\r\n\r\n" + hidden, "400"},
		"a space before a colon": {post + "Content-Length : 0\r\n\r\n" + hidden, "400"},
		"NUL in a header":        {post + "X: a\x00b\r\nContent-Length: 0\r\n\r\n" + hidden, "400"},
		"NUL in a name":          {post + "X\x00: b\r\nContent-Length: 0\r\n\r\n" + hidden, "400"},
		"no host":                {"POST /publish?topic=first HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + hidden, "400"},
		"two hosts":              {post + "Host: y\r\nContent-Length: 0\r\n\r\n" + hidden, "400"},
		"HTTP/0.9":               {"GET /healthz\r\n" + hidden, "400"},
		"HTTP/1.2":               {"GET /healthz HTTP/9.1\r\nHost: x\r\n\r\n" + hidden, "505"},
		"spaces in the target":   {"POST /publish?topic=first HTTP/1.1 x HTTP/1.1\r\nHost: x\r\n\r\n" + hidden, "400"},

		"a chunk too large to count":   {post + chunked + "\r\n10000000000000000\r\n" + hidden, "400"},
		"a chunk without a size":       {post + chunked + "\r\n\r\n" + hidden, "400"},
		"a chunk with a sign":          {post + chunked + "\r\n+1\r\nx\r\n" + none + hidden, "400"},
		"a chunk with 0x":              {post + chunked + "\r\n0x1\r\nx\r\n" + none + hidden, "400"},
		"a chunk that ends early":      {post + chunked + "\r\n5\r\nx\r\n" + none + hidden, "400"},
		"a chunk that ends late":       {post + chunked + "\r\n1\r\nxy\r\n" + none + hidden, "400"},
		"an extension with a line end": {post + chunked + "\r\n1;a=\nx\r\nx\r\n" + none + hidden, "400"},
		"endless extensions":           {post + chunked + "\r\n" + strings.Repeat("1;"+strings.Repeat("a", 4000)+"\r\nx\r\n", 20) + none + hidden, "400"},
		"a trailer with a length":      {post + chunked + "Trailer: Content-Length\r\n\r\n" + none[:3] + "Content-Length: 5\r\n\r\n" + hidden, "400"},
		"a trailer unannounced":        {post + chunked + "\r\n1\r\nx\r\n0\r\nTransfer-Encoding: x\r\n\r\n" + hidden, "200"},

		"a body of a stream":    {"GET /events?topic=first HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + none + hidden, "200"},
		"behind a stream":       {"GET /events?topic=first HTTP/1.1\r\nHost: x\r\n\r\n" + hidden, "200"},
		"in a body of no use":   {"GET /healthz HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + none + hidden, "200"},
		"in a refused body":     {post + "Content-Encoding: gzip\r\n" + length + "\r\n" + none + hidden, "415"},
		"in a body without way": {"POST /nowhere HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + none + hidden, "404"},
	} {
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
				t.Errorf("the second request was taken")
			}
		})
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
