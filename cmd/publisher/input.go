package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"tickertape/internal/event"
	"tickertape/internal/sse"
)

// maxItem bounds a line or an event of the input that holds more than a
// message's data. JSON may write a byte of data with six.
const maxItem = 4 << 20

// read makes messages of the input, in its format.
func (p *pipe) read(ctx context.Context, in io.Reader, put putter) error {
	switch p.Format {
	case "ndjson":
		return p.readNDJSON(ctx, in, put)
	case "sse":
		return p.readSSE(ctx, in, put)
	case "openai":
		return p.readOpenAI(ctx, in, put)
	}
	return p.readLines(ctx, in, put)
}

// message returns one with what the flags say.
func (p *pipe) message(data string) event.Message {
	return event.Message{Topic: event.Topic(p.Topic), Name: p.Event, Key: p.Key, Data: event.Data{Text: data}}
}

func (p *pipe) readLines(ctx context.Context, in io.Reader, put putter) error {
	r := newLines(in, event.MaxData)
	for {
		line, err := r.next()
		if err != nil {
			return endOfInput(err)
		}
		m := p.message(string(line))
		if err := m.Validate(); err != nil {
			return badItem("line", r.number, err)
		}
		if err := put(ctx, m); err != nil {
			return err
		}
	}
}

func (p *pipe) readNDJSON(ctx context.Context, in io.Reader, put putter) error {
	r := newLines(in, maxItem)
	defaults := event.Defaults{Topic: p.Topic, Name: p.Event, Key: p.Key}
	for {
		line, err := r.next()
		if err != nil {
			return endOfInput(err)
		}
		if r.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		m, err := event.DecodeMessage(line, defaults)
		if err != nil {
			return badItem("line", r.number, err)
		}
		if err := put(ctx, m); err != nil {
			return err
		}
	}
}

// readSSE follows the rules that the hub has for bodies of this kind.
func (p *pipe) readSSE(ctx context.Context, in io.Reader, put putter) error {
	d := sse.NewDecoder(in, maxItem)
	for number := 1; ; number++ {
		e, err := d.Next()
		if errors.Is(err, sse.ErrTooLong) {
			return badItem("event", number, fmt.Errorf("it is over %d MiB", maxItem>>20))
		}
		if err != nil {
			return endOfInput(err)
		}
		m := p.message(e.Data)
		switch name := e.Name; {
		case name == event.DefaultName && e.Data == "[DONE]":
			return nil
		case name == event.DefaultName:
		case name == "hub.open", name == "hub.heartbeat", name == "hub.cursor":
			continue // how the other hub's connection fares
		case name == "error", name == "open", name == "hub", strings.HasPrefix(name, "hub."):
			// Browsers and hubs give these a meaning of their own.
			m.Name = "upstream." + name
		default:
			m.Name = name
		}
		if err := m.Validate(); err != nil {
			return badItem("event", number, err)
		}
		if err := put(ctx, m); err != nil {
			return err
		}
		if lastOfResponses(e.Name) {
			return nil
		}
	}
}

// lastOfResponses reports whether an event is the last one of a stream of
// OpenAI's Responses, which has no end mark.
func lastOfResponses(name string) bool {
	return name == "response.completed" || name == "response.failed" || name == "response.incomplete"
}

// endOfInput returns what a reader's error means: nothing at the end.
func endOfInput(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("standard input: %w", err)
}

// badItem says which part of the input cannot be published.
func badItem(unit string, number int, err error) error {
	return usageError{fmt.Errorf("%s %d: %w", unit, number, err)}
}

// lines reads lines of bounded length.
type lines struct {
	r      *bufio.Reader
	limit  int // bytes, without the line's end
	number int // of the line that was read last, from 1
	line   []byte
}

func newLines(r io.Reader, limit int) *lines {
	return &lines{r: bufio.NewReaderSize(r, 64<<10), limit: limit}
}

// next returns the next line without its end, valid until the next call. What
// stands behind the last line end is a line, if it is not empty; but not if
// the input ended by an error: then nobody knows whether it is whole.
func (l *lines) next() ([]byte, error) {
	l.number++
	l.line = l.line[:0]
	for {
		piece, err := l.r.ReadSlice('\n')
		l.line = append(l.line, piece...)
		whole := err == nil || errors.Is(err, io.EOF) && len(l.line) > 0
		if line := trimLineEnd(l.line); len(line) > l.limit {
			return nil, badItem("line", l.number, fmt.Errorf("it is over %d KiB", l.limit>>10))
		} else if whole {
			return line, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

func trimLineEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}
