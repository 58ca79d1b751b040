package main

import (
	"context"
	"errors"
	"fmt"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// pipe publishes what comes from standard input.
type pipe struct {
	Topic string `arg:"" optional:"" help:"Topic to publish to. With --format ndjson it may be left out; lines that name a topic go there."`

	Format   string  `enum:"lines,ndjson,sse,openai" default:"lines" placeholder:"FORMAT" help:"What standard input holds: lines (each one a message), ndjson (each line a message as JSON), sse (Server-Sent Events), openai (a model's streamed answer). Default: ${default}."`
	Event    string  `placeholder:"NAME" help:"Name of the events that have none of their own."`
	Key      string  `placeholder:"KEY" help:"Key of the messages that have none of their own."`
	Producer *string `placeholder:"ID" help:"Name of this input, for no other. Run again on the same input with the same name within a day, and what the hub has already is skipped."`
	Seq      int64   `placeholder:"N" help:"With --producer: the input is not whole, but begins with its message N, counted from 0."`
	sending  `embed:""`
}

// Help implements kong.HelpProvider.
func (*pipe) Help() string {
	return `Publishes as the input comes, in its order, for as long as it comes. A hub that is away is waited for; then it goes on
where it was, with nothing doubled and nothing lost; so it does when a token has expired and the file that --token-file names
holds another one. Ends with the input, and says how much was accepted.

Formats:

	lines    Each line is a message, an empty one too.
	ndjson   Each line is an object as for POST /publish, with topic, event,
	         key and data. Empty lines are left out.
	sse      Each event is a message, its data as text. A message [DONE]
	         ends it. The events error, open and hub.* get names that begin
	         with "upstream."; another hub's hub.open, hub.heartbeat and
	         hub.cursor are left out.
	openai   A stream of Chat Completions or Responses: each piece of text
	         is a message. At the end comes an event "done" with
	         {"finish_reason", "usage"}, or "failed" with {"error"}; then the
	         exit code is 1.

A line that cannot be published ends the command; what came before it is published.

Examples:

	tail -F access.log | publisher pipe log.web
	publisher pipe --format ndjson < messages.ndjson
	curl -sN https://example.com/events | publisher pipe copy --format sse
	curl -sN https://api.openai.com/v1/responses \
	    -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
	    -d '{"model": "gpt-4.1", "input": "Hi", "stream": true}' |
	    publisher pipe chat.7 --format openai
	publisher pipe orders --producer orders-2026-11-22 < orders.txt

The last one is safe to run again, should it break: see --producer.`
}

// Validate is called by kong.
func (p *pipe) Validate() error {
	switch {
	case p.Topic == "" && p.Format != "ndjson":
		return errors.New("name the topic: only with --format ndjson a message can say it")
	case p.Seq < 0 || p.Seq > event.MaxSeq:
		return fmt.Errorf("--seq must be a number from 0 to %d", int64(event.MaxSeq))
	case p.Producer != nil && *p.Producer == "":
		return errors.New("--producer must not be empty: nobody could go on in its name")
	case p.Seq != 0 && p.Producer == nil:
		return errors.New("--seq goes with --producer only: a number means nothing without the one who counts")
	}
	return p.sending.Validate()
}

// Run is called by kong.
func (p *pipe) Run(hub *client.Client, std streams) error {
	probe := event.Message{Topic: event.Topic(p.Topic), Name: p.Event, Key: p.Key, Producer: valueOf(p.Producer)}
	if p.Topic == "" {
		probe.Topic = "any"
	}
	if err := probe.Validate(); err != nil {
		return err
	}
	ctx, stop := untilSignal()
	defer stop()
	f, err := p.newFlow(hub, std, valueOf(p.Producer), p.Seq)
	if err != nil {
		return err
	}
	if isTerminal(std.in) && !p.Quiet {
		std.note("publisher: type the messages; Ctrl-D at the begin of a line ends them")
	}
	if p.Seq > 0 && !p.Quiet {
		std.note("publisher: going on with producer %s: the first message is number %d", *p.Producer, p.Seq)
	}
	err = f.run(ctx, func(ctx context.Context, put putter) error {
		return p.read(ctx, interruptible(ctx, std.in), put)
	})
	if (errors.Is(err, errInterrupted) || client.Passing(err) || isUnauthorized(err)) && p.Format != "openai" && !isTerminal(std.in) {
		std.note("to go on: run it again on the same input from its begin, with --producer %s%s", f.options.Producer, p.seqFlag())
	}
	return err
}

// valueOf returns the value of a flag; that of one that was not given is empty.
func valueOf(flag *string) string {
	if flag == nil {
		return ""
	}
	return *flag
}

// seqFlag is what to add to a command that repeats this one.
func (p *pipe) seqFlag() string {
	if p.Seq == 0 {
		return ""
	}
	return fmt.Sprintf(" --seq %d", p.Seq)
}
