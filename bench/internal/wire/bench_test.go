package wire_test

import (
	"fmt"
	"testing"

	"tickertape/bench/internal/wire"
)

// An event of a hub's, as it comes.
func BenchmarkFeed(b *testing.B) {
	data := wire.Mark{Topic: 7, Stamp: 1 << 40}.Append(nil, 128)
	block := fmt.Sprintf("id: 1bWIBg8PEVtO5zJ6gNAAt8A\ndata: %s\n\n", data)
	chunk := []byte(fmt.Sprintf("%x\r\n%s\r\n", len(block), block))
	var many []byte
	const events = 100
	for range events {
		many = append(many, chunk...)
	}
	var e wire.Events
	found := 0
	take := func(data []byte) {
		if _, ok, err := wire.FindMark(data); ok && err == nil {
			found++
		}
	}
	if err := e.Feed([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), take); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Feed(many, take); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
	if found != b.N*events {
		b.Fatalf("found %d of %d", found, b.N*events)
	}
}
