package web_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"tickertape/internal/nodetest"
)

// BenchmarkPublish publishes one message after the other on one connection.
func BenchmarkPublish(b *testing.B) {
	for name, request := range map[string]string{
		"raw":  postOf("/publish?topic=news", "text/plain", strings.Repeat("x", 128)),
		"json": postOf("/publish", "application/json", `{"topic":"news","event":"story","data":{"title":"…","words":[1,2,3]}}`),
	} {
		b.Run(name, func(b *testing.B) {
			conn := dial(b, nodetest.Start(b, nodetest.Options{}))
			defer conn.Close()
			room := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				ask(b, conn, request, room, "}")
			}
		})
	}
}

func postOf(path, media, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: hub\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, media, len(body), body)
}

// BenchmarkConnect opens one stream after the other, and leaves it behind its
// first block. What the client allocates counts too.
func BenchmarkConnect(b *testing.B) {
	for _, w := range nodetest.Writers() {
		b.Run(string(w), func(b *testing.B) {
			var o nodetest.Options
			o.Stream.Writer = w
			n := nodetest.Start(b, o)
			room := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				conn := dial(b, n)
				ask(b, conn, "GET /events?topic=news HTTP/1.1\r\nHost: hub\r\n\r\n", room, "\n\n\r\n")
				_ = conn.Close()
			}
		})
	}
}

func dial(b *testing.B, n *nodetest.Node) net.Conn {
	conn, err := net.Dial("tcp", n.Addr)
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

// ask sends a request, and reads its answer, which is a good one, up to its end.
func ask(b *testing.B, conn net.Conn, request string, room []byte, end string) {
	if _, err := io.WriteString(conn, request); err != nil {
		b.Fatal(err)
	}
	got := room[:0]
	for !bytes.HasSuffix(got, []byte(end)) {
		n, err := conn.Read(room[len(got):])
		if err != nil {
			b.Fatalf("%q: %v", got, err)
		}
		got = room[:len(got)+n]
	}
	if !bytes.HasPrefix(got, []byte("HTTP/1.1 200 OK\r\n")) {
		b.Fatalf("%q", got)
	}
}
