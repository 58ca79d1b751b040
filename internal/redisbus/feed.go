package redisbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tickertape/internal/event"
)

// feed brings what is announced on the wire to one sink, unbroken.
type feed struct {
	bus  *Bus
	sink event.Sink

	subscribed bool // once at least
	began      bool
	clock      event.Clock // its position: everything up to there was handed over
	heard      time.Time   // when the last announcement came
}

var (
	errBegins = errors.New("it has just begun")
	errSilent = errors.New("beats were accepted and did not come back on the wire")
	errMoved  = errors.New("another server is the primary now")
	errTurned = errors.New("the wire came to be another server's, or another epoch's")
)

// Run feeds the sink until ctx ends.
func (b *Bus) Run(ctx context.Context, sink event.Sink) error {
	f := &feed{bus: b, sink: sink}
	defer b.drop(f)
	pause := firstPause
	b.add(f)
	for {
		begin := time.Now()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := b.hopeless(); err != nil {
			return err
		}
		b.heard(f, explain(err))
		if errors.Is(err, errTurned) || errors.Is(err, errSilent) || errors.Is(err, errElsewhere) {
			b.lane.renew() // it may be the one that is at the wrong server
		}
		if time.Since(begin) > longPause {
			pause = firstPause
		}
		wait(ctx, b.pause(pause))
		pause = min(2*pause, longPause)
	}
}

// follow subscribes, bridges what was missed, and hands over what comes, until
// that fails.
func (f *feed) follow(ctx context.Context) error {
	sub, err := f.bus.subscribe(ctx)
	if err != nil {
		return err
	}
	defer sub.close()
	if f.subscribed {
		f.bus.counts.wireReconnects.Add(1)
	}
	f.subscribed = true
	if err := f.bridge(ctx, sub); err != nil {
		return err
	}
	tick := time.NewTicker(f.bus.options.Beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if f.silent() {
				return errSilent
			}
			if f.bus.primary.left(&sub.place) {
				return errMoved
			}
		case text, ok := <-sub.texts:
			if !ok {
				return sub.err
			}
			if err := f.take(ctx, sub, text); err != nil {
				return err
			}
		}
	}
}

// silent reports whether a beat that was accepted should long have come back.
// While others' announcements come, ours may be in the crowd behind them.
func (f *feed) silent() bool {
	beat := f.bus.options.Beat
	quiet := time.Since(f.heard)
	return f.bus.overdue().After(f.clock.Position) && quiet > 2*beat
}

// take hands over an announcement.
func (f *feed) take(ctx context.Context, sub *subscription, text string) error {
	a, err := parseAnnouncement(f.bus.keys.store(), text)
	if err != nil {
		return err
	}
	f.heard = time.Now()
	f.bus.counts.heard.Add(1)
	if f.bus.accord.hear(a.rules) {
		f.bus.counts.discords.Add(1)
	}
	switch {
	case a.epoch != f.clock.Epoch || a.run != sub.run:
		return errTurned
	case !a.upto.After(f.clock.Position):
		return nil // the bridge led over it
	case a.prev != f.clock.Position:
		return f.bridge(ctx, sub)
	}
	f.clock.Position = a.upto
	f.bus.witness.follow(f.clock)
	f.sink.Feed(event.Stretch{Clock: f.clock, Events: a.events, Losses: a.losses})
	for i, e := range a.events {
		if next := i + 1; next == len(a.events) || a.events[next].Topic != e.Topic { // the topic's last one counts
			f.bus.note(e.Kind, e.Topic, e.Cursor())
		}
	}
	return nil
}

// bridge leads over what the feed has missed: up to the store's clock, which
// is read when everything behind it is sure to come by the subscription. Were
// it read before that, an event could fall in between:
//
//	feed                       a publisher
//	reads the clock: 7
//	                           publishes 8
//	subscribes
//	raises the watermark to 7
//	                           publishes 9: behind 8, which is missing
//
// What the subscription brings up to the clock is dropped.
func (f *feed) bridge(ctx context.Context, sub *subscription) error {
	clock, err := f.bus.readClock(ctx)
	if err != nil {
		return err
	}
	stretch := event.Stretch{Clock: clock}
	if f.began {
		stretch.Broken = true
		if stretch.Intact, err = f.intact(ctx, clock); err != nil {
			return err
		}
	}
	f.sink.Feed(stretch)
	f.began, f.clock, f.heard = true, clock, time.Now()
	f.bus.heard(f, nil)
	return nil
}

// intact returns those of the sink's topics that had nothing in what the
// bridge leads over.
func (f *feed) intact(ctx context.Context, clock event.Clock) (map[event.Topic]struct{}, error) {
	base, lost := clock.Resolve(event.Cursor{Epoch: f.clock.Epoch, Position: f.clock.Position})
	if lost != "" {
		return nil, nil
	}
	intact := map[event.Topic]struct{}{}
	topics := f.sink.Topics()
	for len(topics) > 0 {
		page := topics[:min(len(topics), activePage)]
		topics = topics[len(page):]
		active, err := f.bus.active(ctx, clock.Epoch, base, page)
		if err != nil {
			return nil, fmt.Errorf("which topics are active: %w", err)
		}
		for i, t := range page {
			if !active[i] {
				intact[t] = struct{}{}
			}
		}
	}
	return intact, nil
}

// heard takes in whether the feed hears what is published, and if not, why.
func (b *Bus) heard(f *feed, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.feeds[f]
	b.feeds[f] = err
	switch {
	case err != nil && before == nil:
		b.log.Warn("no hearing what is published", slog.Any("error", err))
	case err == nil && before != nil:
		b.log.Info("hears what is published")
	}
}

func (b *Bus) add(f *feed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.feeds[f] = errBegins
}

func (b *Bus) drop(f *feed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.feeds, f)
}
