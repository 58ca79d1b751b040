package event

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bounds of a Position. They are far beyond what a clock gives (the year
// 10889, 2³⁵ events in one millisecond) and keep every cursor under 64 bytes.
const (
	maxMS  = 1<<48 - 1
	maxSeq = 1<<35 - 1
)

// Position is a place in the total order of a partition's events: the
// millisecond of the store's clock and a number within it. The zero Position
// lies before every event.
type Position struct {
	MS  uint64
	Seq uint64
}

// ParsePosition reads the form "<ms>-<seq>" that String writes.
func ParsePosition(s string) (Position, error) {
	ms, seq, ok := strings.Cut(s, "-")
	if !ok {
		return Position{}, invalid("position", "%q is not of the form <ms>-<seq>", s)
	}
	var p Position
	var err error
	if p.MS, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return Position{}, invalid("position", "%q is not of the form <ms>-<seq>", s)
	}
	if p.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return Position{}, invalid("position", "%q is not of the form <ms>-<seq>", s)
	}
	if !p.valid() {
		return Position{}, invalid("position", "%q is out of range", s)
	}
	return p, nil
}

func (p Position) valid() bool { return p.MS <= maxMS && p.Seq <= maxSeq }

// String returns "<ms>-<seq>".
func (p Position) String() string { return fmt.Sprintf("%d-%d", p.MS, p.Seq) }

// Compare orders positions: -1 if p lies before q, 0 if they are the same.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.MS, q.MS); c != 0 {
		return c
	}
	return cmp.Compare(p.Seq, q.Seq)
}

// After reports whether p lies behind q.
func (p Position) After(q Position) bool { return p.Compare(q) > 0 }

// IsZero reports whether p is the place before every event.
func (p Position) IsZero() bool { return p == Position{} }

// Time returns the moment that the position names, by the store's clock.
func (p Position) Time() time.Time { return time.UnixMilli(int64(p.MS)).UTC() }

// Next returns the first position behind p that is not before now: what a
// clock that never repeats and never goes back gives next.
func (p Position) Next(now time.Time) Position {
	if ms := now.UnixMilli(); ms > int64(p.MS) {
		return Position{MS: uint64(ms)}
	}
	return Position{MS: p.MS, Seq: p.Seq + 1}
}

// Previous returns the last position before p; the zero one has none.
func (p Position) Previous() Position {
	switch {
	case p.Seq > 0:
		return Position{MS: p.MS, Seq: p.Seq - 1}
	case p.MS > 0:
		return Position{MS: p.MS - 1, Seq: maxSeq}
	}
	return p
}

// Before returns the last position that lies before the moment t: a reader
// complete up to it gets everything from t on.
func Before(t time.Time) Position {
	ms := t.UnixMilli()
	if ms <= 0 {
		return Position{}
	}
	return Position{MS: uint64(min(ms, math.MaxInt64)) - 1, Seq: maxSeq}
}

// Add returns the first position of the moment d after p's.
func (p Position) Add(d time.Duration) Position {
	return Position{MS: p.MS + uint64(max(0, d.Milliseconds()))}
}

// Earliest returns the smaller of two positions.
func Earliest(p, q Position) Position {
	if p.After(q) {
		return q
	}
	return p
}

// Latest returns the larger of two positions.
func Latest(p, q Position) Position {
	if p.After(q) {
		return p
	}
	return q
}
