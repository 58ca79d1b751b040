package openai

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// text puts pieces together where a character is split over two of them, be it
// between the bytes of its UTF-8 or between its two halves in UTF-16: models
// write tokens, which need not be characters.
type text struct {
	held []byte // the inner of a JSON string: the begin of a character
}

var errNoString = errors.New("it is not a string")

// add takes a JSON string, or null, and returns the text that is ready.
func (t *text) add(quoted json.RawMessage) (string, error) {
	if len(quoted) == 0 || string(quoted) == "null" {
		return "", nil
	}
	if quoted[0] != '"' {
		return "", errNoString
	}
	inner := append(t.held, quoted[1:len(quoted)-1]...)
	whole := len(inner) - len(unfinished(inner))
	ready, err := unquote(inner[:whole])
	t.held = append([]byte(nil), inner[whole:]...)
	return ready, err
}

// rest returns what no further piece will finish.
func (t *text) rest() string {
	rest, err := unquote(t.held)
	t.held = nil
	if err != nil {
		return ""
	}
	return rest
}

// unquote returns the text of a JSON string's inner. What is not Unicode in it
// becomes U+FFFD.
func unquote(inner []byte) (string, error) {
	quoted := append(append([]byte{'"'}, inner...), '"')
	var s string
	err := json.Unmarshal(quoted, &s)
	return s, err
}

// unfinished returns what is at the end of a JSON string's inner of a character
// that may go on in the next piece.
func unfinished(inner []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(inner); n++ {
		tail := inner[len(inner)-n:]
		if utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return tail
			}
			break
		}
	}
	const half = len(`\ud83d`)
	if len(inner) < half {
		return nil
	}
	before, tail := inner[:len(inner)-half], inner[len(inner)-half:]
	if tail[0] != '\\' || tail[1] != 'u' || backslashes(before)%2 == 1 {
		return nil
	}
	code, err := strconv.ParseUint(string(tail[2:]), 16, 16)
	if err != nil || code < 0xd800 || code > 0xdbff {
		return nil
	}
	return tail
}

// backslashes counts those at the end: after an odd number of them the next
// one is escaped.
func backslashes(b []byte) int { return len(b) - len(strings.TrimRight(string(b), `\`)) }
