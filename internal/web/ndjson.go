package web

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"tickertape/internal/event"
)

// maxLine is the most bytes of a line. Data at its limit may take six bytes of
// JSON for each of its own.
const maxLine = 4 << 20

// ndjson reads a message from each line of a body.
type ndjson struct {
	r        *bufio.Reader
	defaults event.Defaults
	number   int // of the line that was read last, from 1
}

func newNDJSON(body io.Reader, d event.Defaults) *ndjson {
	return &ndjson{r: bufio.NewReaderSize(body, readBuffer), defaults: d}
}

func (*ndjson) unit() string { return "line" }

// next implements source. Blank lines are skipped, but counted.
func (n *ndjson) next() (event.Message, int, error) {
	for {
		line, err := n.line()
		switch {
		case errors.Is(err, errLineSize):
			return event.Message{}, n.number, err
		case err != nil:
			return event.Message{}, 0, err
		}
		if n.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(bytes.Trim(line, " \t\r\n")) == 0 {
			continue
		}
		m, err := event.DecodeMessage(line, n.defaults)
		return m, n.number, err
	}
}

// line returns the next line. At the end of the body, io.EOF, one without a
// line end counts too; of a body that broke off nobody knows whether it is
// whole.
func (n *ndjson) line() ([]byte, error) {
	n.number++
	var long []byte
	for {
		piece, err := n.r.ReadSlice('\n')
		if len(long)+len(bytes.TrimRight(piece, "\r\n")) > maxLine {
			return nil, errLineSize
		}
		if len(long) > 0 || errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, piece...)
			piece = long
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil, errors.Is(err, io.EOF) && len(piece) > 0:
			return piece, nil
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		default:
			return nil, bodyError(err)
		}
	}
}
