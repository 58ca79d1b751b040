package wire

import (
	"bytes"
	"fmt"
)

// Events finds the data lines and ids of Server-Sent Events in a response,
// however a server cuts it into chunks and lines: lines end at LF or CRLF.
// The zero value is ready.
type Events struct {
	Response

	id   []byte // of the newest event that had one
	line []byte // the beginning of a line whose end has not come
}

// ID returns the newest event's id. It is valid until the next Feed.
func (e *Events) ID() []byte { return e.id }

// Feed reads p, and gives each line of data in it to take. Lines are only
// valid during the call.
func (e *Events) Feed(p []byte, take func(data []byte)) error {
	for len(p) > 0 && !e.Ended() {
		piece, rest, err := e.Next(p)
		if err != nil {
			return err
		}
		if err := e.lines(piece, take); err != nil {
			return err
		}
		p = rest
	}
	return nil
}

// lines reads a piece of the body.
func (e *Events) lines(piece []byte, take func(data []byte)) error {
	for len(piece) > 0 {
		end := bytes.IndexByte(piece, '\n')
		if end < 0 {
			if len(e.line)+len(piece) > maxLine {
				return fmt.Errorf("%w: line without an end", ErrBroken)
			}
			e.line = append(e.line, piece...)
			return nil
		}
		line := piece[:end]
		if len(e.line) > 0 {
			e.line = append(e.line, line...)
			line = e.line
		}
		e.field(line, take)
		e.line = e.line[:0]
		piece = piece[end+1:]
	}
	return nil
}

// field reads a line.
func (e *Events) field(line []byte, take func(data []byte)) {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	switch {
	case len(line) > 5 && string(line[:5]) == "data:":
		take(line[5:])
	case len(line) > 3 && string(line[:3]) == "id:":
		e.id = append(e.id[:0], bytes.TrimPrefix(line[3:], []byte(" "))...)
	}
}
