// Package sse writes and reads the bytes of Server-Sent Events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). It knows
// nothing of topics or cursors.
package sse

import (
	"strconv"
	"strings"
	"time"
)

// KeepAlive is a comment: it keeps proxies and clients from taking a quiet
// stream for a dead one. It has no blank line behind it, for some clients
// take a block without data for an event with empty data.
const KeepAlive = ":\n"

// AppendID appends an id line. What comes back as Last-Event-ID is id.
func AppendID(dst []byte, id string) []byte { return appendField(dst, "id: ", id) }

// AppendRetry appends a retry line: how long a browser waits before it
// reconnects, in whole milliseconds.
func AppendRetry(dst []byte, wait time.Duration) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, max(0, wait.Milliseconds()), 10)
	return append(dst, '\n')
}

// AppendEvent appends what follows the id line of an event: its name, unless
// it is "message" or empty, one data line for each line of data, and the
// blank line that ends the block.
//
// A line of data ends where a browser would end it: at CRLF, LF or a lone CR,
// so no publisher can forge a field. The space behind the colon is always
// there, or a value's own leading space would be lost.
func AppendEvent(dst []byte, name, data string) []byte {
	if name != "" && name != "message" {
		dst = appendField(dst, "event: ", name)
	}
	several := strings.Contains(data, "\n") || strings.Contains(data, "\r") // seldom, and this is soon found
	for several {
		i := strings.IndexAny(data, "\r\n")
		if i < 0 {
			break
		}
		dst = appendLine(dst, data[:i])
		if data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n' {
			i++
		}
		data = data[i+1:]
	}
	dst = appendLine(dst, data)
	return append(dst, '\n')
}

func appendLine(dst []byte, line string) []byte {
	dst = append(dst, "data: "...)
	dst = append(dst, line...)
	return append(dst, '\n')
}

// appendField writes a field of one line. Line ends and NULs, which the
// callers' types do not let in, would end it early or void it: they are left
// out rather than trusted to be absent.
func appendField(dst []byte, field, value string) []byte {
	dst = append(dst, field...)
	for i := range len(value) {
		if c := value[i]; c != '\r' && c != '\n' && c != 0 {
			dst = append(dst, c)
		}
	}
	return append(dst, '\n')
}
