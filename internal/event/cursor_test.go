package event_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/event"
)

var urlSafe = regexp.MustCompile(`^[A-Za-z0-9_-]{2,64}$`)

func positions(t *rapid.T, label string) event.Position {
	return event.Position{MS: rapid.Uint64Max(1<<48-1).Draw(t, label+" ms"), Seq: rapid.Uint64Max(1<<35-1).Draw(t, label+" seq")}
}

func cursors(t *rapid.T) event.Cursor {
	c := event.Cursor{
		Epoch:    event.Epoch{Store: rapid.Uint16().Draw(t, "store"), Number: rapid.Uint32().Draw(t, "number"), Nonce: rapid.Uint32().Draw(t, "nonce")},
		Position: positions(t, "position"),
	}
	if opened := positions(t, "opened"); opened.After(c.Position) && rapid.Bool().Draw(t, "replaying") {
		c.Opened, c.Last = opened, rapid.IntRange(0, event.MaxLast).Draw(t, "last")
	}
	return c
}

// Every cursor that a hub can give out comes back as it was.
func TestCursorsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := cursors(t)
		if s := c.String(); !urlSafe.MatchString(s) {
			t.Fatalf("%+v: %q is longer than 64 bytes or not URL-safe", c, s)
		} else if got, err := event.ParseCursor(s); err != nil || got != c {
			t.Fatalf("%+v became %+v (%v)", c, got, err)
		}
		if s := string(c.Append([]byte("id: "))); s != "id: "+c.String() {
			t.Fatalf("appended: %q", s)
		}
	})
}

var cursorSamples = []event.Cursor{
	{},
	{Epoch: event.Epoch{Store: 1}},
	{Epoch: event.Epoch{Store: 0x6d62, Number: 1, Nonce: 0xdeadbeef}, Position: event.Position{MS: 1763820000000}},
	{Epoch: event.Epoch{Store: 0x6d62, Number: 1, Nonce: 7}, Position: event.Position{MS: 1763820000000, Seq: 12}},
	{Epoch: event.Epoch{Store: 2, Number: 3, Nonce: 4}, Position: event.Position{MS: 5}, Opened: event.Position{MS: 1763820000000}, Last: 10_000},
	{Epoch: event.Epoch{Store: 2, Number: 3, Nonce: 4}, Position: event.Position{MS: 5}, Opened: event.Position{MS: 1763820000000}, Tables: true},
	{Epoch: event.Epoch{Store: 2, Number: 3, Nonce: 4}, Opened: event.Position{MS: 1763820000000, Seq: 3}},
	{Epoch: event.Epoch{Store: 1<<16 - 1, Number: 1<<32 - 1, Nonce: 1<<32 - 1}, Position: event.Position{MS: 1<<48 - 1, Seq: 1<<35 - 2},
		Opened: event.Position{MS: 1<<48 - 1, Seq: 1<<35 - 1}, Last: event.MaxLast},
}

// A cursor that was cut short, lengthened or retyped names no other place.
// The checksum has 16 bits, but sees every change of one character.
func TestDamagedCursorsAreRefused(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, c := range cursorSamples {
		s := c.String()
		if got, err := event.ParseCursor(s); err != nil || got != c {
			t.Fatalf("%+v became %+v (%v)", c, got, err)
		}
		for i := range s {
			expectBad(t, s[:i])
			expectBad(t, s[i+1:])
			for _, b := range alphabet {
				if byte(b) != s[i] {
					expectBad(t, s[:i]+string(b)+s[i+1:])
				}
			}
		}
		for _, more := range []string{"A", "=", "==", " ", "\n", "\x00", s} {
			expectBad(t, s+more)
			expectBad(t, more+s)
			expectBad(t, s[:5]+more+s[5:])
		}
	}
	for _, text := range []string{"", "1", "11", "1-0", "1763820000000-0", "0", "garbage", "\xff\xfe", strings.Repeat("1", 64), strings.Repeat("A", 1<<16)} {
		expectBad(t, text)
	}
}

func expectBad(t *testing.T, text string) {
	t.Helper()
	if c, err := event.ParseCursor(text); !errors.Is(err, event.ErrBadCursor) || c != (event.Cursor{}) {
		t.Errorf("%q is taken for %+v (%v)", text, c, err)
	}
}

// FuzzParseCursor: a text that is taken is the one spelling of its cursor.
func FuzzParseCursor(f *testing.F) {
	for _, c := range cursorSamples {
		f.Add(c.String())
		f.Add(c.String() + "A")
		f.Add("2" + c.String()[1:])
	}
	f.Add("")
	f.Add("1")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := event.ParseCursor(text)
		if err != nil {
			expectBad(t, text)
			return
		}
		if c.String() != text || !urlSafe.MatchString(text) {
			t.Fatalf("%q is taken for %+v, which is %q", text, c, c.String())
		}
		if c.Last < 0 || c.Last > event.MaxLast || c.Last > 0 && !c.Replaying() {
			t.Fatalf("%q asks for the last %d events", text, c.Last)
		}
	})
}

// FuzzCursorFields: the same from the other side; random texts hardly ever
// have the right checksum.
func FuzzCursorFields(f *testing.F) {
	for _, c := range cursorSamples {
		f.Add(c.Epoch.Store, c.Epoch.Number, c.Epoch.Nonce, c.Position.MS, c.Position.Seq, c.Opened.MS, c.Opened.Seq, uint16(c.Last))
	}
	f.Fuzz(func(t *testing.T, store uint16, number, nonce uint32, ms, seq, openedMS, openedSeq uint64, last uint16) {
		c := event.Cursor{Epoch: event.Epoch{Store: store, Number: number, Nonce: nonce},
			Position: event.Position{MS: ms % (1 << 48), Seq: seq % (1 << 35)}}
		opened := event.Position{MS: openedMS % (1 << 48), Seq: openedSeq % (1 << 35)}
		if opened.After(c.Position) {
			c.Opened, c.Last = opened, int(last)%(event.MaxLast+1)
		}
		s := c.String()
		if got, err := event.ParseCursor(s); err != nil || got != c || !urlSafe.MatchString(s) {
			t.Fatalf("%+v became %q and %+v (%v)", c, s, got, err)
		}
		expectBad(t, s[:len(s)-1])
	})
}

// TestTheTextOfACursorStays: clients come back with what an older hub gave out.
func TestTheTextOfACursorStays(t *testing.T) {
	t.Parallel()
	epoch := event.Epoch{Store: 7, Number: 3, Nonce: 0xfedcba98}
	for want, c := range map[string]event.Cursor{
		"1AAcD_ty6mPvQlf-8MS1zKA":     {Epoch: epoch, Position: event.Position{MS: 1_700_000_000_123, Seq: 45}},
		"1AAcD_ty6mAEC-9CV_7wxAAprww": {Epoch: epoch, Position: event.Position{MS: 1, Seq: 2}, Opened: event.Position{MS: 1_700_000_000_123}, Last: 10},
	} {
		if got := c.String(); got != want {
			t.Errorf("%+v: got %q, want %q", c, got, want)
		}
	}
}
