//go:build linux

// Package load drives a server as thousands of subscribers and some
// publishers at once, from one goroutine over one epoll, and checks what
// comes back. It costs little next to a server: no goroutine, no buffer and
// no allocation for a connection's events.
package load

import (
	"strconv"
	"strings"
)

// Target says how a server is spoken to. In all but Addr and Headers, {topic}
// stands for a topic's number and {payload} for the message.
type Target struct {
	Addr    string   // an IPv4 address and a port
	Publish string   // path and query that take a message by POST
	Events  string   // path and query of a topic's stream
	Stream  string   // path and query that take messages line by line; none: ""
	Headers []string // further ones of all requests
	Type    string   // of Body; default text/plain
	Body    string   // default {payload}
	Line    string   // of Stream, like Body
}

// template is text with places for a topic and a payload.
type template []string

func newTemplate(text string) template {
	var t template
	for {
		at := strings.IndexByte(text, '{')
		if at < 0 {
			return append(t, text)
		}
		mark, rest, _ := strings.Cut(text[at:], "}")
		if mark != "{topic" && mark != "{payload" {
			t, text = append(t, text[:at+1]), text[at+1:]
			continue
		}
		t, text = append(t, text[:at], mark+"}"), rest
	}
}

// append appends the text with its places filled.
func (t template) append(dst []byte, topic uint32, payload []byte) []byte {
	for _, part := range t {
		switch part {
		case "{topic}":
			dst = strconv.AppendUint(dst, uint64(topic), 10)
		case "{payload}":
			dst = append(dst, payload...)
		default:
			dst = append(dst, part...)
		}
	}
	return dst
}

// requests are a target's, ready to be filled.
type requests struct {
	publish template // up to the body's length
	body    template
	events  template // up to the end of the head
	stream  template // the head
	line    template
}

func newRequests(t Target) requests {
	if t.Body == "" {
		t.Body = "{payload}"
	}
	if t.Type == "" {
		t.Type = "text/plain"
	}
	head := " HTTP/1.1\r\nHost: " + t.Addr + "\r\n"
	for _, h := range t.Headers {
		head += h + "\r\n"
	}
	return requests{
		publish: newTemplate("POST " + t.Publish + head + "Content-Type: " + t.Type + "\r\nContent-Length: "),
		body:    newTemplate(t.Body),
		events:  newTemplate("GET " + t.Events + head + "Accept: text/event-stream\r\n"),
		stream:  newTemplate("POST " + t.Stream + head + "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"),
		line:    newTemplate(t.Line + "\n"),
	}
}
