package main

import (
	"context"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// end ends a topic.
type end struct {
	Topic  string `arg:"" help:"Topic to end."`
	Status status `default:"completed" placeholder:"STATUS" help:"How it ended: completed, failed or cancelled. Default: ${default}."`
}

// Help implements kong.HelpProvider.
func (*end) Help() string {
	return `Whoever listens gets the rest and is told of the end; whoever comes later gets the same. From then on the hub refuses
messages to the topic, until all of it has expired. Prints the id of the end. A topic that has ended already is
refused (exit code 3).

Examples:

	publisher end jobs.7
	publisher end jobs.8 --status failed
	publisher send jobs.9 'All done' --end    (a last message and the end, in one step)`
}

// Run is called by kong.
func (e *end) Run(hub *client.Client, std streams) error {
	ended, err := hub.End(context.Background(), event.Topic(e.Topic), event.Status(e.Status))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, printable(ended.ID))
	return err
}

// cancel cancels what a topic's producer does.
type cancel struct {
	Topic string `arg:"" help:"Topic whose producer is to stop."`
}

// Help implements kong.HelpProvider.
func (*cancel) Help() string {
	return `Ends the topic as cancelled. Its producer is refused from then on: with its next message, or at once if it has a
stream to the hub open. Can be run again without harm. Prints how the topic ended: cancelled, unless its end came before.

Example:

	publisher cancel chat.7`
}

// Run is called by kong.
func (c *cancel) Run(hub *client.Client, std streams) error {
	ended, err := hub.Cancel(context.Background(), event.Topic(c.Topic))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, printable(string(ended.Status)))
	return err
}

// status is a flag that says how a topic ends.
type status event.Status

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *status) UnmarshalText(text []byte) error {
	parsed, err := event.ParseStatus(string(text))
	*s = status(parsed)
	return err
}

// endFlag is a status whose value may be left out, for completed.
type endFlag event.Status

// IsBool implements kong.BoolMapperValue: a value stands behind a "=" only.
func (*endFlag) IsBool() bool { return true }

// Decode implements kong.MapperValue.
func (e *endFlag) Decode(c *kong.DecodeContext) error {
	text := string(event.Completed)
	if c.Scan.Peek().Type == kong.FlagValueToken {
		text = c.Scan.Pop().String()
	}
	parsed, err := event.ParseStatus(text)
	*e = endFlag(parsed)
	return err
}

// lease is a flag that says for how long a topic may be without a message.
type lease time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *lease) UnmarshalText(text []byte) error {
	d, err := event.ParseLease(string(text))
	*l = lease(d)
	return err
}
