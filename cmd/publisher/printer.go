package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"tickertape/internal/client"
	"tickertape/internal/event"
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

// printEnd prints the end of a topic like an event of it.
func (p *printer) printEnd(e client.End) error {
	seen, err := event.ParseCursor(e.Cursor)
	if err != nil {
		return fmt.Errorf("the end of topic %q: its id %.100q: %w", e.Topic, e.Cursor, err)
	}
	end := event.NewEnd(e.Topic, event.KindLog, e.Status)
	end.Epoch, end.Position = seen.Epoch, seen.Position
	return p.print(client.Event{Envelope: end.Envelope(), Cursor: e.Cursor})
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
	return fmt.Appendf(nil, "%s %s %s %s", moment(at.In(time.Local), time.Now()), printable(string(e.Topic)), printable(e.Event), indent(data.Text)), nil
}

// moment words the time of an event, with the day unless that is today.
func moment(at, now time.Time) string {
	const day, clock = "2006-01-02", "15:04:05.000"
	if at.Format(day) == now.In(at.Location()).Format(day) {
		return at.Format(clock)
	}
	return at.Format(day + " " + clock)
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
