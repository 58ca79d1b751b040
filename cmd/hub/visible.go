package main

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

// visible writes as numbers, in texts of the log, what slog lets through and nobody
// sees: what turns the direction of writing, or commands some terminals.
func visible(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(seen(v))
	case error:
		a.Value = slog.StringValue(seen(v.Error()))
	}
	return a
}

func seen(text string) string {
	if !strings.ContainsFunc(text, unseen) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unseen(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unseen reports whether a rune is one of those. Line ends and the like slog escapes.
func unseen(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }
