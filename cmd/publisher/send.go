package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/term"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// send publishes a message.
type send struct {
	Topic string  `arg:"" help:"Topic to publish to, like news or quotes.AAPL."`
	Data  *string `arg:"" optional:"" help:"What to publish. If it is left out or \"-\", it is read from standard input to its end."`

	Event          string        `placeholder:"NAME" help:"Name of the event; browsers hand one without a name to onmessage."`
	Key            string        `placeholder:"KEY" help:"What the message is about, among others of its topic."`
	JSON           bool          `name:"json" help:"The data is JSON, not text."`
	IdempotencyKey *string       `placeholder:"KEY" help:"Publish only if no message of the topic came with this key in the last five minutes: makes it safe to run the command again."`
	End            endFlag       `placeholder:"STATUS" help:"End the topic with this message: as completed, or with --end=failed, --end=cancelled. It takes no more messages then."`
	Lease          lease         `placeholder:"DURATION" help:"End the topic as producer_lost if it is without a message for so long, like 30s; each message renews that."`
	Every          time.Duration `placeholder:"DURATION" help:"Publish it again and again, this often (like 500ms, 2s, 1m), until Ctrl-C."`
	Count          *int          `placeholder:"N" help:"With --every: end after so many messages."`
	Quiet          bool          `short:"q" help:"Do not print the messages' ids."`
}

// Help implements kong.HelpProvider.
func (*send) Help() string {
	return `Prints the id under which the message is stored: "publisher listen --cursor ID" goes on behind it.

Examples:

	publisher send news 'Hello, world'
	publisher send quotes.AAPL '{"price": 189.30}' --json --event quote --key AAPL
	git log -1 | publisher send builds
	publisher send time tick --every 2s
	publisher send temperature -- -5          (data that begins with a dash)
	publisher send jobs.7 'All done' --end    (see also "publisher end")

One newline at the very end of standard input is left out.

With --every, a message that failed is reported and sent again at the next turn, with a key of its own, so that it is
not published twice. What the hub refuses ends the command.`
}

// Validate is called by kong.
func (s *send) Validate() error {
	switch {
	case s.Every < 0:
		return errors.New("--every must be a duration above 0")
	case s.Every == 0 && s.Count != nil:
		return errors.New("--count goes with --every only")
	case s.Count != nil && *s.Count < 1:
		return errors.New("--count must be at least 1")
	case s.End != "" && s.Every > 0:
		return errors.New("--end and --every exclude each other: a topic that has ended takes no more messages")
	case s.End != "" && s.Lease != 0:
		return errors.New("--end and --lease exclude each other: a topic that has ended needs no lease")
	case s.IdempotencyKey != nil && *s.IdempotencyKey == "":
		return errors.New("--idempotency-key must not be empty")
	case s.Every > 0 && s.IdempotencyKey != nil:
		return errors.New("--idempotency-key and --every exclude each other: with one key all messages but the first would count as repeated")
	}
	return nil
}

// Run is called by kong.
func (s *send) Run(hub *client.Client, std streams) error {
	m := event.Message{Topic: event.Topic(s.Topic), Name: s.Event, Key: s.Key, IdempotencyKey: valueOf(s.IdempotencyKey),
		End: event.Status(s.End), Lease: time.Duration(s.Lease)}
	var err error
	if m.Data, err = s.data(std); err != nil {
		return err
	}
	if s.Every > 0 {
		ctx, stop := untilSignal()
		defer stop()
		return s.repeat(ctx, hub, m, std)
	}
	receipt, err := hub.Publish(context.Background(), m)
	if err != nil {
		return err
	}
	return s.print(receipt, std)
}

// repeat publishes messages that say the same until ctx ends.
func (s *send) repeat(ctx context.Context, hub *client.Client, m event.Message, std streams) error {
	turn := time.NewTicker(s.Every)
	defer turn.Stop()
	m.IdempotencyKey = uuid.NewString()
	for sent := 0; ; {
		wait := s.Every
		receipt, err := hub.Publish(ctx, m)
		switch {
		case err == nil:
			if err := s.print(receipt, std); err != nil {
				return err
			}
			if sent++; s.Count != nil && sent == *s.Count {
				return nil
			}
			m.IdempotencyKey = uuid.NewString()
		case ctx.Err() != nil:
		case client.Passing(err):
			if e, ok := errors.AsType[*client.Error](err); ok {
				wait = max(wait, e.RetryAfter)
			}
			std.note("publisher: %v; the message is sent again in %v", err, wait)
		default:
			return err
		}
		if wait > s.Every {
			turn.Reset(wait) // and then as often as before
		}
		select {
		case <-ctx.Done():
			if s.Count != nil {
				return errInterrupted
			}
			return nil
		case <-turn.C:
			if wait > s.Every {
				turn.Reset(s.Every)
			}
		}
	}
}

func (s *send) print(r client.Receipt, std streams) error {
	if s.Quiet {
		return nil
	}
	if r.Duplicate && s.IdempotencyKey != nil {
		std.note("publisher: nothing new: a message with this key was published before, under this id")
	}
	_, err := fmt.Fprintln(std.out, printable(r.ID))
	return err
}

// maxInput bounds what is read. The hub's own limit is lower, but counts JSON
// without its white space.
const maxInput = 4 << 20

// data returns what to publish.
func (s *send) data(std streams) (event.Data, error) {
	text, err := given(s.Data, std)
	d := event.Data{Text: text, JSON: s.JSON}
	if err != nil || !s.JSON {
		return d, err
	}
	var any json.RawMessage
	if err := json.Unmarshal([]byte(d.Text), &any); err != nil {
		return d, usageError{fmt.Errorf("the data is not valid JSON: %w%s", err, place(err))}
	}
	return d, nil
}

// given returns the text of an argument, or, without one, of standard input.
func given(argument *string, std streams) (string, error) {
	if argument != nil && *argument != "-" {
		return *argument, nil
	}
	if isTerminal(std.in) {
		std.note("publisher: type the data; Ctrl-D at the begin of a line ends it")
	}
	body, err := io.ReadAll(io.LimitReader(std.in, maxInput+1))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	if len(body) > maxInput {
		return "", usageError{fmt.Errorf("standard input has over %d MiB, more than a message can hold", maxInput>>20)}
	}
	body = bytes.TrimSuffix(body, []byte("\n"))
	return string(bytes.TrimSuffix(body, []byte("\r"))), nil
}

// place tells where in the data JSON ends to be valid.
func place(err error) string {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf(" (at byte %d)", e.Offset)
	}
	return ""
}

// isTerminal reports whether somebody sits at the other end of a reader or
// writer. /dev/null, a device too, is none.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// untilSignal returns a context that ends at Ctrl-C or SIGTERM. The second
// signal ends the process at once.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
