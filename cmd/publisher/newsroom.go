package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/feed"
)

// maxFetches is how many feeds are asked at once.
const maxFetches = 8

// newsroom follows feeds, each by a goroutine of its own: none waits for a
// slow one.
type newsroom struct {
	*news
	hub     *client.Client
	std     streams
	url     string // of the hub
	fetcher *feed.Fetcher
	slots   chan struct{} // filled by who asks a feed

	mu     sync.Mutex
	faults int // of feeds, with --once
	tally  client.Tally
}

// run follows all feeds until ctx ends, or something fails that is no feed's
// fault.
func (r *newsroom) run(ctx context.Context) error {
	following, ctx := errgroup.WithContext(ctx)
	for _, address := range r.Feeds {
		following.Go(func() error { return r.follow(ctx, address) })
	}
	return following.Wait()
}

func (r *newsroom) follow(ctx context.Context, address string) error {
	seen, err := feed.OpenSeen(r.stateFile(r.url, address))
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	// Nothing is published that could not be remembered.
	if err := r.save(seen); err != nil {
		return err
	}
	for {
		wait := r.Every
		page, err := r.fetch(ctx, address, seen.Version())
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			wait = max(wait, r.fault(address, err))
		default:
			if err := r.take(ctx, address, page, seen); err != nil {
				return err
			}
		}
		if r.Once {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

func (r *newsroom) fetch(ctx context.Context, address string, known feed.Version) (feed.Page, error) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return feed.Page{}, ctx.Err()
	}
	defer func() { <-r.slots }()
	return r.fetcher.Fetch(ctx, address, known)
}

// fault tells what is wrong with a feed, and returns how long its server asks
// to wait.
func (r *newsroom) fault(address string, err error) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults++
	r.std.note("publisher: %s: %v", public(address), err)
	if e, ok := errors.AsType[*feed.StatusError](err); ok {
		return e.RetryAfter
	}
	return 0
}

// public returns an address without a password.
func public(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Redacted()
}

// take publishes what is new on a page, and remembers it once the hub has it.
// A crash between the two doubles nothing: the items' keys say that they were
// published.
func (r *newsroom) take(ctx context.Context, address string, page feed.Page, seen *feed.Seen) error {
	if page.Unchanged {
		return nil
	}
	items := seen.New(page.Items, r.First)
	count := len(items)
	for len(items) > 0 {
		tally, err := r.publish(ctx, address, items)
		taken := int(tally.Accepted)
		if known := taken < len(items) && published(err); known {
			taken, err = taken+1, nil
		}
		seen.Add(items[:taken]...)
		items = items[taken:]
		if err != nil {
			return errors.Join(err, r.save(seen))
		}
	}
	seen.Finish(page)
	if err := r.save(seen); err != nil {
		return err
	}
	if count > 0 && !r.Quiet {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.std.note("%s: %d new", public(address), count)
	}
	return nil
}

func (r *newsroom) save(seen *feed.Seen) error {
	if err := seen.Save(); err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return nil
}

// published reports whether a refusal says that the item was published before,
// in other words than it has now.
func published(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Status == http.StatusUnprocessableEntity
}

func (r *newsroom) publish(ctx context.Context, address string, items []feed.Item) (client.Tally, error) {
	messages := make(chan event.Message, len(items))
	for _, item := range items {
		m, err := r.message(address, item)
		if err != nil {
			return client.Tally{}, err
		}
		messages <- m
	}
	close(messages)
	tally, err := r.hub.Pipe(ctx, messages, client.PipeOptions{Patience: r.Patience, Progress: r.told})
	if e, ok := errors.AsType[*client.PipeError](err); ok {
		err = e.Err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.Accepted += tally.Accepted
	if tally.LastID != "" {
		r.tally.LastID = tally.LastID
	}
	return tally, err
}

// told says what is wrong with the hub.
func (r *newsroom) told(_ client.Tally, err error, wait time.Duration) {
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.std.note("publisher: %v; next try in %v, nothing is lost", err, wait.Round(10*time.Millisecond))
	}
}

// headline is the data of an item.
type headline struct {
	Title     string `json:"title"`
	Link      string `json:"link"`
	Source    string `json:"source"`
	Published string `json:"published"` // RFC 3339; empty if the feed does not say
	Summary   string `json:"summary"`
}

func (r *newsroom) message(address string, item feed.Item) (event.Message, error) {
	h := headline{Title: item.Title, Link: item.Link, Source: item.Source, Summary: item.Summary}
	if !item.Published.IsZero() {
		h.Published = item.Published.Format(time.RFC3339)
	}
	data, err := json.Marshal(h)
	if err != nil {
		return event.Message{}, err
	}
	return event.Message{Topic: event.Topic(r.Topic), Name: "headline", IdempotencyKey: feed.Key(address, item),
		Data: event.Data{Text: string(data), JSON: true}}, nil
}

func (r *newsroom) report(always bool) {
	switch {
	case r.Quiet && !always:
	case r.tally.LastID == "":
		r.std.note("accepted %d", r.tally.Accepted)
	default:
		r.std.note("accepted %d, last id %s", r.tally.Accepted, r.tally.LastID)
	}
}
