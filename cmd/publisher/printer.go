package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"tickertape/internal/client"
)

// printer writes events for people, or as lines of JSON for programs.
type printer struct {
	std  streams
	json bool
}

func (p *printer) print(e client.Event) error {
	line, err := p.format(e)
	if err != nil {
		return err
	}
	_, err = p.std.out.Write(append(line, '\n'))
	return err
}

func (p *printer) format(e client.Event) ([]byte, error) {
	if p.json {
		return e.AppendJSON(nil)
	}
	data, err := e.Text()
	if err != nil {
		return nil, err
	}
	at, err := e.At()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s %s %s %s", at.In(time.Local).Format("15:04:05.000"), printable(string(e.Topic)), printable(e.Event), indent(data.Text)), nil
}

// indent makes further lines of data look unlike the begin of another event.
func indent(data string) string {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data), "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n             ")
}

// printable spells out control characters: what somebody published must not
// steer the reader's terminal.
func printable(s string) string {
	if !strings.ContainsFunc(s, steers) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if steers(r) {
			fmt.Fprintf(&b, `\x%02x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func steers(r rune) bool { return unicode.IsControl(r) && r != '\t' }
