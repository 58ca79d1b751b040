package wire

import (
	"bytes"
	"errors"
)

// Mark is what a message carries so that whoever gets it can tell whether it
// is the right one, and how old it is. Numbers count the messages of a lane
// to a topic, from 0, and rise by one.
type Mark struct {
	Lane   uint8
	Topic  uint32
	Number uint32
	Stamp  int64 // nanoseconds of the sender's clock
}

const (
	prefix = "bench:"
	digits = 2 + 8 + 8 + 16

	// MarkSize is the size of a mark in bytes: messages are not shorter.
	MarkSize = len(prefix) + digits
)

// Append appends the mark as text of size bytes, at least MarkSize, that
// needs no escaping in JSON, forms and addresses.
func (m Mark) Append(dst []byte, size int) []byte {
	dst = append(dst, prefix...)
	dst = appendHex(dst, uint64(m.Lane), 2)
	dst = appendHex(dst, uint64(m.Topic), 8)
	dst = appendHex(dst, uint64(m.Number), 8)
	dst = appendHex(dst, uint64(m.Stamp), 16)
	for range size - MarkSize {
		dst = append(dst, '.')
	}
	return dst
}

func appendHex(dst []byte, value uint64, width int) []byte {
	for shift := 4 * (width - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[value>>shift&15])
	}
	return dst
}

// ErrMark says that a mark was begun that is none.
var ErrMark = errors.New("broken mark")

// FindMark finds the mark in data, whatever a server puts around it. There is
// none in what the server says of its own accord.
func FindMark(data []byte) (m Mark, found bool, err error) {
	if len(data) > 0 && data[0] == ' ' {
		data = data[1:]
	}
	if !bytes.HasPrefix(data, []byte(prefix)) {
		at := bytes.Index(data, []byte(prefix))
		if at < 0 {
			return Mark{}, false, nil
		}
		data = data[at:]
	}
	if len(data) < MarkSize {
		return Mark{}, false, ErrMark
	}
	data = data[len(prefix):MarkSize]
	lane, ok1 := hex(data[:2])
	topic, ok2 := hex(data[2:10])
	number, ok3 := hex(data[10:18])
	stamp, ok4 := hex(data[18:])
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return Mark{}, false, ErrMark
	}
	return Mark{Lane: uint8(lane), Topic: uint32(topic), Number: uint32(number), Stamp: int64(stamp)}, true, nil
}

const hexDigits = "0123456789abcdef"

// hex returns the value of lower-case digits. It has no branches: digits are
// as good as random, and there are many.
func hex(digits []byte) (value uint64, ok bool) {
	var wrong byte
	for _, c := range digits {
		digit := (c&15 + c>>6*9) & 15
		wrong |= c ^ hexDigits[digit]
		value = value<<4 | uint64(digit)
	}
	return value, wrong == 0
}
