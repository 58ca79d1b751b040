// Package wire reads what servers answer, from pieces of any size and without
// allocating: HTTP/1.1 responses, the Server-Sent Events in them, and the
// marks in those events' data.
package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// ErrBroken says that bytes are not what they should be. Nothing can be read
// behind them.
var ErrBroken = errors.New("broken response")

const (
	maxHead = 16 << 10
	maxLine = 1 << 20
)

// part is a place in a response.
type part uint8

const (
	inHead    part = iota
	inSize         // of a chunk
	inChunk        // its data
	inCR           // behind the data
	inLF           // behind the CR
	inTrailer      // behind the last chunk
	inLength       // of a body whose length was told
	inRest         // of a body that ends with the connection
	inEnd          // all was read
)

// Response reads one HTTP/1.1 response. The zero value is ready; Reset makes
// it ready for the next response of the same connection.
type Response struct {
	// Status is 0 until the head is read.
	Status int

	part part
	left int64  // bytes of the chunk or body; in a trailer, of its line
	size []byte // of the chunk, as far as it was read
	head []byte // as far as it was read
}

// Reset forgets the response, but keeps its memory.
func (r *Response) Reset() { *r = Response{size: r.size[:0], head: r.head[:0]} }

// Ended reports whether the response was read to its end. One without a
// length ends with its connection: never by itself.
func (r *Response) Ended() bool { return r.part == inEnd }

// Next reads some of p: it returns a piece of the body, which may be empty,
// and the rest of p, which is shorter than p unless the response has ended.
func (r *Response) Next(p []byte) (piece, rest []byte, err error) {
	switch r.part {
	case inHead:
		rest, err = r.readHead(p)
		return nil, rest, err
	case inChunk, inLength:
		n := min(int64(len(p)), r.left)
		r.left -= n
		switch {
		case r.left > 0:
		case r.part == inChunk:
			r.part = inCR
		default:
			r.part = inEnd
		}
		return p[:n], p[n:], nil
	case inRest:
		return p, nil, nil
	case inEnd:
		return nil, p, nil
	default:
		rest, err = r.readFraming(p)
		return nil, rest, err
	}
}

// readHead takes bytes up to the end of the head.
func (r *Response) readHead(p []byte) (rest []byte, err error) {
	before := len(r.head)
	r.head = append(r.head, p[:min(len(p), maxHead-before)]...)
	from := max(0, before-3) // the end may have begun before
	end := bytes.Index(r.head[from:], []byte("\r\n\r\n"))
	if end < 0 {
		if len(r.head) >= maxHead {
			return nil, fmt.Errorf("%w: head without an end", ErrBroken)
		}
		return nil, nil
	}
	end += from + 4
	r.head = r.head[:end]
	return p[end-before:], r.begin()
}

// begin learns from the head how the body comes.
func (r *Response) begin() error {
	first, fields, _ := bytes.Cut(r.head, []byte("\r\n"))
	if !bytes.HasPrefix(first, []byte("HTTP/1.")) || len(first) < len("HTTP/1.1 200") {
		return fmt.Errorf("%w: begins with %.40q", ErrBroken, first)
	}
	status, err := strconv.Atoi(string(first[9:12]))
	if err != nil {
		return fmt.Errorf("%w: begins with %.40q", ErrBroken, first)
	}
	r.Status, r.part = status, inRest
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, _ := bytes.Cut(field, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Transfer-Encoding")) && bytes.EqualFold(value, []byte("chunked")):
			r.part = inSize
			return nil
		case bytes.EqualFold(name, []byte("Content-Length")):
			if r.left, err = strconv.ParseInt(string(value), 10, 63); err != nil || r.left < 0 {
				return fmt.Errorf("%w: length %.40q", ErrBroken, value)
			}
			r.part = inLength
		}
	}
	if status == 204 || r.part == inLength && r.left == 0 {
		r.part = inEnd
	}
	return nil
}

// readFraming takes one byte of what stands between chunks.
func (r *Response) readFraming(p []byte) (rest []byte, err error) {
	if len(p) == 0 {
		return nil, nil
	}
	c := p[0]
	switch {
	case r.part == inSize && c != '\n':
		if len(r.size) >= 64 {
			return nil, fmt.Errorf("%w: chunk size %.40q", ErrBroken, r.size)
		}
		r.size = append(r.size, c)
	case r.part == inSize:
		return p[1:], r.beginChunk()
	case r.part == inCR && c == '\r':
		r.part = inLF
	case r.part == inLF && c == '\n':
		r.part = inSize
	case r.part == inTrailer && c == '\n':
		if r.left == 0 {
			r.part = inEnd
		}
		r.left = 0
	case r.part == inTrailer:
		if c != '\r' {
			r.left++
		}
	default:
		return nil, fmt.Errorf("%w: %q behind a chunk", ErrBroken, c)
	}
	return p[1:], nil
}

// beginChunk reads the line of a chunk's size.
func (r *Response) beginChunk() error {
	digits, _, _ := bytes.Cut(r.size, []byte(";"))
	digits = bytes.TrimSpace(digits)
	if len(digits) == 0 || len(digits) > 15 {
		return fmt.Errorf("%w: chunk size %.40q", ErrBroken, r.size)
	}
	r.left = 0
	for _, c := range digits {
		digit := hexValue(c)
		if digit < 0 {
			return fmt.Errorf("%w: chunk size %.40q", ErrBroken, r.size)
		}
		r.left = r.left<<4 | int64(digit)
	}
	r.size = r.size[:0]
	r.part = inChunk
	if r.left == 0 {
		r.part = inTrailer
	}
	return nil
}

// hexValue returns the value of a hexadecimal digit, or -1.
func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
