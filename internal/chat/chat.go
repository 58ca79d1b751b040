// Package chat asks a language model behind an OpenAI-compatible endpoint, and
// publishes its answer to a topic of its own as it comes:
//
//	started  {"model"}                          at once, before the model is asked
//	         text                               unnamed: each a further piece of the answer
//	waiting  {}                                 a sign of life while the model says nothing
//	done     {"finish_reason","usage","model"}  and the topic's end: completed
//	failed   {"error":{"message"}}              or this, and the end: failed
//
// The topic has a lease, so that it ends, too, if this process does not live to
// say so. Who ends the topic meanwhile, as a cancel does, ends the answer: the
// model is not asked any further.
package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/openai"
)

// API is one of the two ways to ask.
type API string

// Completions is what nearly every server has, Responses what OpenAI advises.
const (
	Completions API = "chat"
	Responses   API = "responses"
)

// Options are a Chat's settings. Zero fields mean the defaults.
type Options struct {
	BaseURL   string            // of the model's server; https://api.openai.com/v1
	Key       string            // that it asks for; none
	Model     string            // must be given
	API       API               // Completions
	Transport http.RoundTripper // to the model's server; one of its own

	// Coalesce joins pieces of text that come within so long after one that was
	// published: a message each time, in place of one for each piece. Zero:
	// nothing is joined.
	Coalesce time.Duration
	Lease    time.Duration // of the topic; 30 s
	Stall    time.Duration // how long the model's server may send nothing; 60 s
	// Patience is how long a hub may be away before the answer is given up.
	// Zero: for ever.
	Patience time.Duration
	// Progress is that of client.PipeOptions.
	Progress func(t client.Tally, err error, wait time.Duration)
}

// Chat asks one model. Its methods may be called from any goroutine.
type Chat struct {
	hub     *client.Client
	options Options
	model   *model
}

// New returns a Chat that publishes by the client.
func New(hub *client.Client, o Options) (*Chat, error) {
	o.API = cmp.Or(o.API, Completions)
	o.Lease = cmp.Or(o.Lease, 30*time.Second)
	o.Stall = cmp.Or(o.Stall, time.Minute)
	m, err := newModel(o)
	if err != nil {
		return nil, err
	}
	return &Chat{hub: hub, options: o, model: m}, nil
}

// Close closes the connections that no answer uses.
func (c *Chat) Close() { c.model.transport.CloseIdleConnections() }

// FailedError says that the model's answer is not whole: the topic has ended as
// failed, and says the same.
type FailedError struct{ Cause openai.Failed }

func (e *FailedError) Error() string { return "the answer is not whole: " + e.Cause.Error() }
func (e *FailedError) Unwrap() error { return e.Cause }

// farewell is how long the end of an answer that is given up may take to arrive.
const farewell = 5 * time.Second

// Answer asks the model and publishes what it answers. It returns when the topic
// has ended and nothing runs any more. The Tally counts messages.
//
// The error is nil if the answer is whole, a *FailedError if the model, or the way
// to it, failed, and an *event.EndedError if somebody else has ended the topic. When
// ctx ends, the topic ends as cancelled; the error is ctx's then. With any other
// error the hub could not be told of an end: the lease ends the topic.
func (c *Chat) Answer(ctx context.Context, t event.Topic, prompt string) (client.Tally, error) {
	asking, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	piping, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()

	w := newWriter(t, c.options)
	defer w.close()
	messages, piped := make(chan event.Message), make(chan struct{})
	var tally client.Tally
	var failed error
	var running sync.WaitGroup
	running.Go(func() {
		defer close(piped)
		tally, failed = c.hub.Pipe(piping, messages, client.PipeOptions{Hold: true, Patience: c.options.Patience, Progress: c.options.Progress})
	})
	parts := make(chan openai.Part)
	running.Go(func() { c.model.answer(asking, prompt, parts) })
	w.write(ctx, parts, messages, piped)
	stop(nil)
	close(messages)
	leaving := context.AfterFunc(ctx, func() { time.AfterFunc(farewell, abandon) })
	running.Wait()
	leaving()
	return tally, w.outcome(ctx, failed)
}

// outcome returns what Answer's error is, given that of Pipe.
func (w *writer) outcome(ctx context.Context, piped error) error {
	switch {
	case errors.Is(piped, context.Canceled) && ctx.Err() != nil:
		return fmt.Errorf("%w; the hub could not be told", ctx.Err())
	case piped != nil:
		return piped
	case w.last == nil:
		return errors.New("the answer has no end")
	case w.last.End == event.Cancelled:
		return ctx.Err()
	case w.failed != nil:
		return &FailedError{*w.failed}
	}
	return nil
}
