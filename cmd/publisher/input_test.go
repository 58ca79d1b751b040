package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// TestLines compares the reader with strings.Split, however the input comes
// in pieces, and around the limit.
func TestLines(t *testing.T) {
	t.Parallel()
	const limit = 5
	rapid.Check(t, func(t *rapid.T) {
		input := rapid.StringOfN(rapid.RuneFrom([]rune("ab\r\n")), 0, 60, -1).Draw(t, "input")
		var in io.Reader = strings.NewReader(input)
		if rapid.Bool().Draw(t, "in pieces") {
			in = iotest.OneByteReader(in)
		}
		want := strings.Split(input, "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		r := newLines(in, limit)
		for i, line := range want {
			line = strings.TrimSuffix(line, "\r")
			got, err := r.next()
			if r.number != i+1 {
				t.Fatalf("line %d has the number %d", i+1, r.number)
			}
			if len(line) > limit {
				if err == nil || !strings.Contains(err.Error(), "over") {
					t.Fatalf("line %d, %q: %q, %v", i+1, line, got, err)
				}
				return
			}
			if err != nil || string(got) != line {
				t.Fatalf("line %d: %q, %v, want %q", i+1, got, err, line)
			}
		}
		if got, err := r.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("behind the end: %q, %v", got, err)
		}
	})
}

// TestBrokenLine takes no line of which nobody knows whether it is whole.
func TestBrokenLine(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := newLines(io.MultiReader(strings.NewReader("one\ntw"), iotest.ErrReader(broken)), 100)
	if got, err := r.next(); string(got) != "one" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err := r.next(); !errors.Is(err, broken) {
		t.Fatalf("%q, %v", got, err)
	}
	long := newLines(strings.NewReader(strings.Repeat("x", 300<<10)+"\n"), 1<<20)
	if got, err := long.next(); len(got) != 300<<10 || err != nil {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}
