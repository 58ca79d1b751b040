package sse

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

// ErrTooLong says that a block of a stream is larger than its reader allows.
var ErrTooLong = errors.New("sse: a block is over the limit")

// Event is an event as a browser would dispatch it.
type Event struct {
	ID   string // the last event id of the stream, set by this block or an earlier one
	Name string // "message" if the block named none
	Data string
}

// Decoder reads a stream as the standard's interpretation says.
type Decoder struct {
	r      *bufio.Reader
	limit  int
	begun  bool // behind the place where a BOM may stand
	skipLF bool // the last line ended at a CR: a LF right behind belongs to it
	line   []byte
	size   int // of the block so far

	lastID string
	retry  time.Duration
}

// NewDecoder returns a Decoder over r that refuses blocks of over limit bytes.
func NewDecoder(r io.Reader, limit int) *Decoder {
	return &Decoder{r: bufio.NewReader(r), limit: limit}
}

// LastID returns the id that a browser would send as Last-Event-ID now.
func (d *Decoder) LastID() string { return d.lastID }

// Retry returns the reconnection time that the stream asked for last, or 0.
func (d *Decoder) Retry() time.Duration { return d.retry }

// Next returns the next event. A block that the end of the stream cuts off is
// discarded. At the end the error is io.EOF or what the reader returned.
func (d *Decoder) Next() (Event, error) {
	var name string
	var data []byte
	var hasData bool
	id := d.lastID
	d.size = 0
	for {
		line, err := d.readLine()
		if err != nil {
			return Event{}, err
		}
		if len(line) == 0 {
			d.lastID = id
			if hasData {
				if name == "" {
					name = "message"
				}
				return Event{ID: id, Name: name, Data: string(data[:len(data)-1])}, nil
			}
			name, d.size = "", 0
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			name = string(value)
		case "data":
			data, hasData = append(append(data, value...), '\n'), true
		case "id":
			if bytes.IndexByte(value, 0) < 0 {
				id = string(value)
			}
		case "retry":
			d.setRetry(value)
		}
	}
}

func (d *Decoder) setRetry(value []byte) {
	for _, c := range value {
		if c < '0' || c > '9' {
			return
		}
	}
	if ms, err := strconv.ParseInt(string(value), 10, 32); err == nil {
		d.retry = time.Duration(ms) * time.Millisecond
	}
}

// readLine returns the next line without its end. It never waits for the byte
// behind a CR: that one may be long in coming.
func (d *Decoder) readLine() ([]byte, error) {
	d.line = d.line[:0]
	for {
		if _, err := d.r.Peek(1); err != nil {
			return nil, err
		}
		chunk, err := d.r.Peek(d.r.Buffered())
		if err != nil {
			return nil, err
		}
		if d.skipLF {
			d.skipLF = false
			if chunk[0] == '\n' {
				d.discard(1)
				continue
			}
		}
		end := bytes.IndexAny(chunk, "\r\n")
		if end < 0 {
			end = len(chunk)
		}
		d.line = append(d.line, chunk[:end]...)
		if d.size += end; d.size > d.limit {
			return nil, ErrTooLong
		}
		if end == len(chunk) {
			d.discard(end)
			continue
		}
		d.skipLF = chunk[end] == '\r'
		d.discard(end + 1)
		if !d.begun {
			d.begun = true
			return bytes.TrimPrefix(d.line, []byte("\ufeff")), nil
		}
		return d.line, nil
	}
}

// discard drops n bytes that are known to be buffered, so it cannot fail.
func (d *Decoder) discard(n int) { _, _ = d.r.Discard(n) }
