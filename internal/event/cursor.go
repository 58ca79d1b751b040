package event

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// MaxCursor is the longest a cursor can be, in bytes.
const MaxCursor = 64

// MaxLast is the most events per topic that a stream may ask to begin with.
const MaxLast = 10_000

// Epoch is one unbroken life of a store's data. Number 0 is never a life: a
// Cursor that has it was given out by a stream that began nowhere known.
type Epoch struct {
	Store  uint16 // which store; a cursor from another one means nothing here
	Number uint32 // counts the lives of that store's data, from 1
	Nonce  uint32 // drawn at random, tells two lives with the same number apart
}

// Cursor is what a client has seen: everything of its topics up to Position.
// It is the SSE "id:", opaque to clients.
type Cursor struct {
	Epoch    Epoch
	Position Position

	// Opened and Last are set while an opening replay runs (Position <
	// Opened): where the watermark stood when the stream opened, and how
	// many events per topic up to there it asked for (0: all). A return
	// with such a cursor goes on with the very same replay.
	Opened Position
	Last   int
	// Tables says that it is the replay of a stream that began with the tables
	// as they stood, and asked for nothing else up to there. Last is 0 then.
	Tables bool
}

// ErrBadCursor says that a text is not a cursor that a hub gave out.
var ErrBadCursor = errors.New("not a cursor of this hub")

// Replaying reports whether the cursor stands in the middle of an opening
// replay.
func (c Cursor) Replaying() bool { return c.Opened.After(c.Position) }

const cursorVersion = '1'

// onlyTables stands for Tables in the place of Last.
const onlyTables = MaxLast + 1

// String returns the cursor's text: a version, then URL-safe base64 of its
// fields and of a checksum over them, so that a text cut short or retyped is
// refused instead of naming some other place. At most MaxCursor bytes.
func (c Cursor) String() string {
	return string(c.Append(make([]byte, 0, MaxCursor)))
}

// Append appends the cursor's text to dst.
func (c Cursor) Append(dst []byte) []byte {
	var space [MaxCursor]byte
	b := binary.BigEndian.AppendUint16(space[:0], c.Epoch.Store)
	b = binary.AppendUvarint(b, uint64(c.Epoch.Number))
	b = binary.BigEndian.AppendUint32(b, c.Epoch.Nonce)
	b = appendPosition(b, c.Position)
	if c.Replaying() {
		last := c.Last
		if c.Tables {
			last = onlyTables
		}
		b = appendPosition(b, c.Opened)
		b = binary.AppendUvarint(b, uint64(last))
	}
	b = binary.BigEndian.AppendUint16(b, checksum(b))
	dst = append(dst, cursorVersion)
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

// ParseCursor reads what String wrote. Everything else, in particular every
// other spelling of the same fields, is ErrBadCursor.
func ParseCursor(s string) (Cursor, error) {
	if len(s) > MaxCursor || len(s) < 2 || s[0] != cursorVersion {
		return Cursor{}, ErrBadCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s[1:])
	if err != nil || len(b) < 3 {
		return Cursor{}, ErrBadCursor
	}
	body, sum := b[:len(b)-2], binary.BigEndian.Uint16(b[len(b)-2:])
	if checksum(body) != sum {
		return Cursor{}, ErrBadCursor
	}
	r := reader{rest: body}
	var c Cursor
	c.Epoch = Epoch{Store: r.uint16(), Number: uint32(r.uvarint(1<<32 - 1)), Nonce: r.uint32()}
	c.Position = r.position()
	if len(r.rest) > 0 {
		c.Opened = r.position()
		c.Last = int(r.uvarint(onlyTables))
	}
	if c.Last == onlyTables {
		c.Last, c.Tables = 0, true
	}
	if r.failed || len(r.rest) > 0 || c.String() != s {
		return Cursor{}, ErrBadCursor
	}
	return c, nil
}

func checksum(b []byte) uint16 {
	sum := ^uint32(0)
	for _, c := range b { // crc32 would have b on the heap
		sum = crc32.IEEETable[byte(sum)^c] ^ sum>>8
	}
	sum = ^sum
	return uint16(sum ^ sum>>16)
}

func appendPosition(b []byte, p Position) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, p.MS), p.Seq)
}

// reader takes fixed fields off a byte slice and remembers the first failure.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if len(r.rest) < n {
		r.failed, r.rest = true, nil
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

func (r *reader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > limit {
		r.failed, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) position() Position {
	return Position{MS: r.uvarint(maxMS), Seq: r.uvarint(maxSeq)}
}
