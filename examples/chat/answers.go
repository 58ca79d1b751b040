package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"tickertape/internal/chat"
	"tickertape/internal/event"
)

// answers are those under way in this process: a goroutine each, at most so many.
type answers struct {
	ctx   context.Context // of the process: an answer outlives the request for it
	asker *chat.Chat
	limit int
	log   *slog.Logger

	mu       sync.Mutex
	reserved int
	over     bool           // there will be no more
	running  sync.WaitGroup // of places that are taken
}

func newAnswers(ctx context.Context, asker *chat.Chat, limit int, log *slog.Logger) *answers {
	return &answers{ctx: ctx, asker: asker, limit: limit, log: log}
}

// reserve takes one of the places and reports whether there was one.
func (a *answers) reserve() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || a.reserved >= a.limit {
		return false
	}
	a.reserved++
	a.running.Add(1)
	return true
}

func (a *answers) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reserved--
	a.running.Done()
}

// start answers a prompt on a topic, and releases the place that the caller has
// reserved when that is over.
func (a *answers) start(t event.Topic, prompt string) {
	go func() {
		defer a.release()
		tally, err := a.asker.Answer(a.ctx, t, prompt)
		log := a.log.With(slog.String("topic", string(t)), slog.Int64("messages", tally.Accepted))
		if _, ended := errors.AsType[*event.EndedError](err); err == nil || ended {
			log.Info("answered", slog.Bool("stopped", ended))
			return
		}
		log.Warn("not answered", slog.Any("error", err))
	}()
}

// wait returns when no answer is under way, and none will be any more.
func (a *answers) wait() {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	a.running.Wait()
}
