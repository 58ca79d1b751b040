package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"tickertape/internal/event"
)

// PipeOptions are the settings of a Pipe. Zero fields mean the defaults.
type PipeOptions struct {
	// Producer names who numbers the messages. Whoever goes on with a
	// producer's messages later must number them on. A new UUID.
	Producer string
	First    int64 // the number of the first message
	// A request ends with so many messages or after so long, whichever comes
	// first; until then the hub publishes what arrives but confirms nothing,
	// and a connection that went quietly is not noticed.
	MaxMessages int           // 1,000
	MaxTime     time.Duration // 1 s
	// Hold keeps a request that is old enough open until there is a message for
	// the next one: so whoever has little to say learns at once that somebody
	// else has ended its topic.
	Hold bool
	// Patience is how long to go on without any progress. Zero: for ever.
	Patience time.Duration
	// Progress, unless it is nil, is told by the goroutine of Pipe after each
	// answer, and after each failure with its reason and the time before the
	// next attempt.
	Progress func(t Tally, err error, wait time.Duration)
}

// Tally says how far a Pipe came.
type Tally struct {
	Accepted int64  // messages that are stored, from the first one on
	LastID   string // of the last one of them that the hub knew the id of
}

// PipeError says which message a Pipe could not go past. All before it are
// stored.
type PipeError struct {
	Number int64 // counted from PipeOptions.First
	Err    error // an *Error, or an *event.InvalidError
}

func (e *PipeError) Error() string { return fmt.Sprintf("message %d: %v", e.Number, e.Err) }
func (e *PipeError) Unwrap() error { return e.Err }

// maxPipeBytes is the most bytes of lines that wait for one answer, give or
// take a line.
const maxPipeBytes = 4 << 20

// Pipe publishes messages in their order, numbering them, until the channel
// closes: through broken connections, hubs that end and stores that fail it
// doubles and loses nothing. It keeps what is not confirmed, at most one
// request's messages, and sends it again.
//
// A message that the hub refuses ends it with a *PipeError; that is an
// *event.EndedError, too, if it is because somebody has ended the topic: this is
// told without another message, if a request is open. A credential that is
// refused ends it only if there is no other by then. When ctx ends, the
// request under way gets a few seconds for its answer; the error is ctx's then.
// The Tally counts what is known to be stored.
func (c *Client) Pipe(ctx context.Context, messages <-chan event.Message, o PipeOptions) (Tally, error) {
	if o.Producer == "" {
		id, err := uuid.NewRandom()
		if err != nil {
			return Tally{}, err
		}
		o.Producer = id.String()
	}
	if o.MaxMessages == 0 {
		o.MaxMessages = 1000
	}
	if o.MaxTime == 0 {
		o.MaxTime = time.Second
	}
	p := &pipe{client: c, bearer: bearer{ask: c.credential}, options: o, messages: messages}
	err := p.run(ctx)
	return p.tally, err
}

const (
	minPipeWait = 100 * time.Millisecond
	maxPipeWait = 5 * time.Second // unless a hub asks for more
	// farewell is how long the last answer is awaited when ctx has ended.
	farewell = 5 * time.Second
)

// pipe is one call of Pipe.
type pipe struct {
	client   *Client
	bearer   bearer
	options  PipeOptions
	messages <-chan event.Message

	tally   Tally
	pending [][]byte // lines that are not confirmed, in order
	bytes   int      // of those
	last    error    // why no more messages are taken: errNoMore, or what is wrong with the next one

	failures int       // attempts in a row without progress
	stuck    time.Time // since when there is none; zero while there is some
}

// errNoMore says that all messages were taken.
var errNoMore = errors.New("the channel is closed")

func (p *pipe) run(ctx context.Context) error {
	for {
		if len(p.pending) == 0 && !p.await(ctx) {
			if errors.Is(p.last, errNoMore) {
				return nil
			}
			if p.last != nil {
				return p.last
			}
			return ctx.Err()
		}
		again, err := p.attempt(ctx)
		switch {
		case !again:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			p.tell(nil, 0)
			continue
		}
		wait := p.backOff(err)
		if p.options.Patience > 0 && time.Since(p.stuck)+wait > p.options.Patience {
			return fmt.Errorf("no progress in %v: %w", p.options.Patience, err)
		}
		p.tell(err, wait)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// await waits for the next message and reports whether there is one.
func (p *pipe) await(ctx context.Context) bool {
	if p.last != nil || ctx.Err() != nil {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case m, ok := <-p.messages:
		return p.keep(m, ok)
	}
}

// keep adds a message to those that are to be confirmed. It reports false,
// and takes no more, at the end and for a message that has no form as a line.
func (p *pipe) keep(m event.Message, ok bool) bool {
	if !ok {
		p.last = errNoMore
		return false
	}
	line, err := encodeLine(m)
	if err != nil {
		p.last = &PipeError{Number: p.number() + int64(len(p.pending)), Err: err}
		return false
	}
	p.pending = append(p.pending, line)
	p.bytes += len(line)
	return true
}

func encodeLine(m event.Message) ([]byte, error) {
	doc, err := newDocument(m)
	if err != nil {
		return nil, err
	}
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		return nil, err
	}
	return line.Bytes(), nil
}

// number is that of the first message that is not confirmed.
func (p *pipe) number() int64 { return p.options.First + p.tally.Accepted }

// confirm forgets the first n pending messages: they are stored.
func (p *pipe) confirm(n int, lastID string) {
	for _, line := range p.pending[:n] {
		p.bytes -= len(line)
	}
	clear(p.pending[:n])
	p.pending = p.pending[n:]
	if len(p.pending) == 0 {
		p.pending = nil
	}
	p.tally.Accepted += int64(n)
	if lastID != "" {
		p.tally.LastID = lastID
	}
	if n > 0 {
		p.failures, p.stuck = 0, time.Time{}
		p.bearer.accepted()
	}
}

// backOff returns how long to wait before the next attempt.
func (p *pipe) backOff(err error) time.Duration {
	if p.stuck.IsZero() {
		p.stuck = time.Now()
	}
	most := min(maxPipeWait, minPipeWait<<min(p.failures, 10))
	p.failures++
	wait := most/2 + rand.N(most/2+1)
	return min(maxAsked, max(wait, retryAfter(err)))
}

func (p *pipe) tell(err error, wait time.Duration) {
	if p.options.Progress != nil {
		p.options.Progress(p.tally, err, wait)
	}
}
