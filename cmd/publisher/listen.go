package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// listen prints events.
type listen struct {
	Topics []string `arg:"" name:"topic" help:"Topics to listen to, at most 100."`

	Since  since  `xor:"start" placeholder:"all|DURATION" help:"Begin with all that the hub still has, or with what is not older than a duration like 10m or 24h."`
	Last   int    `xor:"start" placeholder:"N" help:"Begin with the newest N events of each topic."`
	Cursor string `xor:"start" placeholder:"ID" help:"Go on behind this id: the one that this command ended with, or that of an event."`
	Count  *int   `placeholder:"N" help:"End after N events."`
	JSON   bool   `name:"json" help:"Print each event as one line of JSON."`
}

// Help implements kong.HelpProvider.
func (*listen) Help() string {
	return `Prints a line for each event: time (and day, if not today), topic, event name, data. Further lines of data are indented. All else, like
changes of the connection and notices of lost events, goes to standard error.

Begins with what is published from now on, unless told otherwise. Comes back by itself when the connection breaks or the
hub restarts, and goes on where it was; so it does when a token has expired and the file that --token-file names holds
another one. Ctrl-C ends it; it then says from which cursor to go on. It also ends when all its
topics have: each end is printed as an event hub.end, which --count does not count; the exit code is 1 if fewer events came
than that.

Examples:

	publisher listen news
	publisher listen quotes.AAPL quotes.MSFT --last 10
	publisher listen news --since 1h --json | jq .data
	publisher listen builds --count 1         (waits for the next one)`
}

// Validate is called by kong.
func (l *listen) Validate() error {
	switch {
	case l.Last < 0:
		return errors.New("--last must be at least 1")
	case l.Count != nil && *l.Count < 1:
		return errors.New("--count must be at least 1")
	}
	return nil
}

// Run is called by kong.
func (l *listen) Run(hub *client.Client, std streams, c *commands) error {
	ctx, stop := untilSignal()
	defer stop()
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	p := &printer{std: std, json: l.JSON}
	w := watcher{std: std, url: c.URL}
	count := 0
	cursor, err := hub.Listen(ctx, l.options(), client.Handler{
		Event: func(e client.Event) error {
			if err := p.print(e); err != nil {
				return err
			}
			// The event counts as seen: so no error, but the end of ctx.
			if count++; l.Count != nil && count == *l.Count {
				enough()
			}
			return nil
		},
		End:   p.printEnd,
		Gap:   w.gap,
		State: w.state,
	})
	if cursor != "" {
		std.note("to go on from here: publisher listen %s --cursor %s", strings.Join(l.Topics, " "), cursor)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		if l.Count != nil && count < *l.Count {
			return errInterrupted
		}
		return nil
	}
	if err == nil && l.Count != nil && count < *l.Count {
		return fmt.Errorf("the topics have ended with %d of %d events", count, *l.Count)
	}
	return err
}

func (l *listen) options() client.ListenOptions {
	return client.ListenOptions{Topics: l.Topics, Cursor: l.Cursor, All: l.Since.all, Since: l.Since.age, Last: l.Last}
}

// since is a start in the past.
type since struct {
	all bool
	age time.Duration
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *since) UnmarshalText(text []byte) error {
	if string(text) == "all" {
		s.all = true
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is neither all nor a duration like 90s, 10m, 24h", text)
	}
	s.age = d
	return nil
}

// watcher tells what happens besides events.
type watcher struct {
	std streams
	url string
}

func (w watcher) state(s client.State) {
	switch {
	case !s.Connected:
		w.std.note("not connected: %v; next try in %v", s.Err, s.Wait.Round(100*time.Millisecond))
	case s.Resumed:
		w.std.note("connected to %s, going on where it was", w.url)
	default:
		w.std.note("connected to %s", w.url)
	}
}

func (w watcher) gap(g client.Gap) error {
	w.std.note("GAP in %s: events are missing here (%s: %s)", g.Topic, g.Reason, reasonText(g.Reason))
	return nil
}

// reasonText words why events are gone.
func reasonText(r event.Reason) string {
	switch r {
	case event.Trimmed:
		return "the topic holds no more than so many"
	case event.Expired:
		return "they were too old to be kept"
	case event.Overrun:
		return "this client was too far behind"
	case event.StoreLost:
		return "the hub's store lost them"
	case event.BadCursor:
		return "the hub does not know the cursor; this begins with new events"
	}
	return "unknown"
}
