package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tickertape/bench/internal/wire"
)

// blocks are the events of servers that say the same in different words.
func blocks() []func(id, data string) string {
	return []func(id, data string) string{
		func(id, data string) string { return "id: " + id + "\ndata: " + data + "\n\n" },
		func(id, data string) string { return ": hi\r\nid:" + id + "\r\ndata:" + data + "\r\n\r\n" },
		func(id, data string) string {
			return "event: hub.open\ndata: {\"resumed\":false}\n\nid: " + id + "\nretry: 100\ndata: {\"pub\":{\"data\":\"" + data + "\"}}\n\n"
		},
	}
}

// frames are the ways in which bodies are framed.
func frames() map[string]func(t *rapid.T, body string) string {
	return map[string]func(t *rapid.T, body string) string{
		"until the end": func(_ *rapid.T, body string) string { return "\r\n" + body },
		"with a length": func(_ *rapid.T, body string) string {
			return fmt.Sprintf("content-length: %d\r\n\r\n%s", len(body), body)
		},
		"in chunks": func(t *rapid.T, body string) string {
			var b strings.Builder
			b.WriteString("Transfer-Encoding: Chunked\r\n\r\n")
			for len(body) > 0 {
				n := rapid.IntRange(1, len(body)).Draw(t, "chunk")
				format := rapid.SampledFrom([]string{"%x\r\n", "%X\r\n", "%04x;a=b\r\n"}).Draw(t, "form")
				fmt.Fprintf(&b, format+"%s\r\n", n, body[:n])
				body = body[n:]
			}
			b.WriteString("0\r\nTrailer: x\r\n\r\n")
			return b.String()
		},
	}
}

// However events are worded, framed and cut into pieces, what was sent is
// what is found.
func TestEventsAreFound(t *testing.T) {
	t.Parallel()
	for name, frame := range frames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				size := rapid.IntRange(wire.MarkSize, 200).Draw(t, "size")
				block := rapid.SampledFrom(blocks()).Draw(t, "words")
				var sent, found []wire.Mark
				var body, id string
				for n := range rapid.IntRange(0, 6).Draw(t, "events") {
					m := wire.Mark{
						Lane: rapid.Byte().Draw(t, "lane"), Topic: rapid.Uint32().Draw(t, "topic"),
						Number: rapid.Uint32().Draw(t, "number"), Stamp: rapid.Int64().Draw(t, "stamp"),
					}
					sent, id = append(sent, m), fmt.Sprintf("id-%d", n)
					body += block(id, string(m.Append(nil, size)))
				}
				response := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + frame(t, body)
				var e wire.Events
				for len(response) > 0 {
					n := rapid.IntRange(1, len(response)).Draw(t, "read")
					err := e.Feed([]byte(response[:n]), func(data []byte) {
						m, ok, err := wire.FindMark(data)
						if err != nil {
							t.Fatal(err)
						}
						if ok {
							found = append(found, m)
						}
					})
					if err != nil {
						t.Fatal(err)
					}
					response = response[n:]
				}
				if fmt.Sprint(found) != fmt.Sprint(sent) || string(e.ID()) != id || e.Status != 200 {
					t.Fatalf("found %v (%q, %d), want %v (%q)", found, e.ID(), e.Status, sent, id)
				}
				if ends := name != "until the end"; e.Ended() != ends {
					t.Fatalf("ended: %t", e.Ended())
				}
			})
		})
	}
}

// Reading piece by piece, byte by byte too, takes no memory for an event.
func TestEventsTakeNoMemory(t *testing.T) {
	data := wire.Mark{Number: 1}.Append(nil, 128)
	chunk := []byte(fmt.Sprintf("%x\r\ndata: %s\n\n\r\n", len(data)+8, data))
	var e wire.Events
	found := 0
	take := func([]byte) { found++ }
	feed := func() {
		for i := range chunk {
			if err := e.Feed(chunk[i:i+1], take); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := e.Feed([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), take); err != nil {
		t.Fatal(err)
	}
	feed() // the memory for lines that are cut
	if allocs := testing.AllocsPerRun(100, feed); allocs > 0 || found < 100 {
		t.Errorf("%v allocations an event, %d found", allocs, found)
	}
}

func TestBrokenResponses(t *testing.T) {
	t.Parallel()
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, response := range map[string]string{
		"not HTTP":             "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"no status":            "HTTP/1.1 OK, all is well\r\n\r\n",
		"head without an end":  "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 20<<10),
		"bad length":           "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"bad chunk size":       chunked + "xyz\r\n",
		"empty chunk size":     chunked + "\r\n",
		"chunk size too large": chunked + "1234567890abcdef0\r\n",
		"chunk size goes on":   chunked + strings.Repeat("1", 100),
		"chunk too long":       chunked + "3\r\nabcd\r\n",
		"line without an end":  "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e wire.Events
			var err error
			for p := []byte(response); len(p) > 0 && err == nil; {
				n := min(1000, len(p))
				err = e.Feed(p[:n], func([]byte) {})
				p = p[n:]
			}
			if !errors.Is(err, wire.ErrBroken) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBrokenMarks(t *testing.T) {
	t.Parallel()
	whole := string(wire.Mark{Lane: 3, Number: 77}.Append(nil, wire.MarkSize))
	for i := range whole {
		for _, data := range []string{whole[:i], whole[:i] + "/" + whole[i+1:], whole[:i] + "G" + whole[i+1:]} {
			m, found, err := wire.FindMark([]byte(data))
			if found || i >= len("bench:") && !errors.Is(err, wire.ErrMark) {
				t.Fatalf("%q: %v, %v", data, m, err)
			}
		}
	}
}

// Answers of one connection follow each other.
func TestResponsesFollowEachOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const answers = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" +
			"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" +
			"HTTP/1.1 204 No Content\r\n\r\n" +
			"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
		var got []int
		var r wire.Response
		for rest := []byte(answers); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "read")
			for p := rest[:n]; len(p) > 0; {
				var err error
				if _, p, err = r.Next(p); err != nil {
					t.Fatal(err)
				}
				if r.Ended() {
					got = append(got, r.Status)
					r.Reset()
				}
			}
			rest = rest[n:]
		}
		if fmt.Sprint(got) != "[200 503 204 202]" {
			t.Fatalf("got %v", got)
		}
	})
}
