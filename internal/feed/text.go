package feed

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// plain returns the text of HTML on one line, without markup, scripts and
// control characters, and of at most so many characters.
func plain(markup string, limit int) string {
	w := line{limit: limit}
	z := html.NewTokenizer(strings.NewReader(markup))
	hidden := atom.Atom(0)
	for {
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			return w.String()
		case html.TextToken:
			if hidden == 0 && !w.write(string(z.Text())) {
				return w.cut()
			}
			continue
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
		default:
			continue
		}
		name, _ := z.TagName()
		tag := atom.Lookup(name)
		switch {
		case kind == html.StartTagToken && (tag == atom.Script || tag == atom.Style):
			hidden = tag
		case kind == html.EndTagToken && tag == hidden:
			hidden = 0
		}
		if !inline(tag) {
			w.space = true
		}
	}
}

// inline reports whether an element may stand within a word.
func inline(tag atom.Atom) bool {
	switch tag {
	case atom.A, atom.Abbr, atom.B, atom.Code, atom.Em, atom.Font, atom.I, atom.Mark, atom.S, atom.Small,
		atom.Span, atom.Strong, atom.Sub, atom.Sup, atom.U, atom.Wbr:
		return true
	}
	return false
}

// line is a text whose white space is single spaces.
type line struct {
	b     strings.Builder
	limit int // characters
	count int
	space bool // one is due before the next character
}

// write appends text and reports whether all of it found room.
func (w *line) write(s string) bool {
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		if unicode.IsSpace(r) {
			w.space = true
			continue
		}
		if unicode.IsControl(r) {
			continue
		}
		if w.space && w.count > 0 {
			w.b.WriteByte(' ')
			w.count++
		}
		w.space = false
		if w.count >= w.limit {
			return false
		}
		w.b.WriteRune(r)
		w.count++
	}
	return true
}

func (w *line) String() string { return w.b.String() }

// cut ends a text that found no room: at a word's end, if one is near.
func (w *line) cut() string {
	s := strings.TrimRight(w.b.String(), " ")
	_, size := utf8.DecodeLastRuneInString(s)
	s = s[:len(s)-size] // room for the dots
	if i := strings.LastIndexByte(s, ' '); i > len(s)*3/4 {
		s = s[:i]
	}
	return strings.TrimRight(s, " ,;:") + "…"
}
