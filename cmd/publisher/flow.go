package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// sending are the flags of commands that send many messages.
type sending struct {
	Patience time.Duration `group:"Sending" placeholder:"DURATION" help:"Give up after so long without any progress, like 30s or 5m; default: never."`
	Quiet    bool          `group:"Sending" short:"q" help:"Tell nothing on standard error but what went wrong."`
}

// Validate is called by kong.
func (s *sending) Validate() error {
	if s.Patience < 0 {
		return errors.New("--patience must be a duration above 0")
	}
	return nil
}

// source makes messages and hands each to put, until there are no more or ctx
// ends. An error of put ends it.
type source func(ctx context.Context, put putter) error

// putter hands a message on. It waits until the message is taken, ctx ends, or
// nothing will be taken any more.
type putter func(ctx context.Context, m event.Message) error

// flow sends a source's messages to the hub, in order.
type flow struct {
	hub      *client.Client
	progress *progress
	options  client.PipeOptions
	// endless says that the source has no end of its own: then to interrupt
	// it is the way to end it.
	endless bool
}

// newFlow returns a flow of messages that a producer numbers from first on. An
// empty producer stands for a new one.
func (s *sending) newFlow(hub *client.Client, std streams, producer string, first int64) (*flow, error) {
	if producer == "" {
		id, err := uuid.NewRandom()
		if err != nil {
			return nil, err
		}
		producer = id.String()
	}
	p := newProgress(std, s.Quiet)
	return &flow{hub: hub, progress: p, options: client.PipeOptions{Producer: producer, First: first,
		Patience: s.Patience, Progress: p.tell}}, nil
}

// grace is how long, after Ctrl-C, what was read already may still be sent.
const grace = 2 * time.Second

var (
	// errInterrupted says that Ctrl-C came before the end.
	errInterrupted = errors.New("interrupted")
	errNoTaker     = errors.New("nothing is taken any more")
)

// run sends until the source has no more, something fails, or ctx ends: then
// it gives what was read the time to arrive. It tells how far it came.
func (f *flow) run(ctx context.Context, from source) error {
	reading, enough := context.WithCancel(ctx)
	defer enough()
	piping, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, abandon) })()

	messages, ended := make(chan event.Message), make(chan struct{})
	put := func(ctx context.Context, m event.Message) error {
		if ctx.Err() != nil { // else chance would decide
			return ctx.Err()
		}
		select {
		case messages <- m:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return errNoTaker
		}
	}
	var failed error
	var source sync.WaitGroup
	source.Go(func() {
		defer close(messages)
		failed = from(reading, put)
	})
	tally, err := f.hub.Pipe(piping, messages, f.options)
	close(ended)
	enough()
	source.Wait()
	return f.end(ctx, tally, err, failed)
}

// end tells how far it came and decides what the command's error is: the
// hub's, else that of the source.
func (f *flow) end(ctx context.Context, tally client.Tally, err, failed error) error {
	interrupted := ctx.Err() != nil
	abandoned := interrupted && errors.Is(err, context.Canceled)
	if err == nil || abandoned {
		err = failed
	} else {
		err = f.located(err)
	}
	if abandoned && err == nil || interrupted && (errors.Is(err, context.Canceled) || errors.Is(err, errNoTaker)) {
		err = nil
		if !f.endless {
			err = errInterrupted
		}
	}
	f.progress.end(tally, err != nil || interrupted)
	return err
}

// located says which message an error is about, counted from 1 in this run.
func (f *flow) located(err error) error {
	if e, ok := errors.AsType[*client.PipeError](err); ok {
		return fmt.Errorf("message %d: %w", e.Number-f.options.First+1, e.Err)
	}
	return err
}

// interruptible returns a reader of what r brings that fails with ctx's error
// once ctx has ended.
//
// Reading standard input cannot be broken off: so the goroutine that does is
// left alone, in a read that may never return, and ends with the process. It
// holds one buffer, and hands on nothing once ctx has ended.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		_ = in.CloseWithError(err) // never fails; nil stands for io.EOF
	}()
	context.AfterFunc(ctx, func() { _ = in.CloseWithError(ctx.Err()) })
	return out
}
