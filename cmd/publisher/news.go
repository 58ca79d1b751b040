package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/feed"
)

// news publishes what is new in feeds.
type news struct {
	Feeds []string `arg:"" name:"feed" help:"Addresses of RSS, Atom or JSON feeds."`

	Topic string        `default:"news" placeholder:"TOPIC" help:"Topic to publish to. Default: ${default}."`
	Every time.Duration `default:"5m" placeholder:"DURATION" help:"How often each feed is asked, at most once a second. Default: ${default}."`
	Once  bool          `help:"Ask each feed once, and end."`
	First int           `default:"10" placeholder:"N" help:"Of a feed that was never read before, publish the newest N. Default: ${default}."`
	State string        `placeholder:"DIR" help:"Where to remember what was published. Default: a directory in your cache."`

	sending `embed:""`
}

// Help implements kong.HelpProvider.
func (*news) Help() string {
	return `Publishes each new item as an event "headline" with the data {"title", "link", "source", "published", "summary"}, oldest
first. Titles and summaries are plain text of bounded length.

What was published is remembered in a file for each hub, topic and feed: nothing comes twice, also after a restart. A
feed that fails is told of and asked again at its next turn; the others go on. With --once, the exit code is 1 then.

Examples:

	publisher news https://go.dev/blog/feed.atom
	publisher news --topic news.tech --every 1m https://example.com/rss
	publisher news --once --first 3 https://example.com/rss          (for cron)`
}

// Validate is called by kong.
func (n *news) Validate() error {
	switch {
	case n.Every == 0:
		n.Once = true
	case n.Every < time.Second:
		return errors.New("--every must be at least 1s; 0 stands for --once")
	}
	if n.First < 0 {
		return errors.New("--first must be at least 0")
	}
	for _, address := range n.Feeds {
		if err := feed.CheckURL(address); err != nil {
			return err
		}
	}
	if _, err := event.ParseTopic(n.Topic); err != nil {
		return fmt.Errorf("--topic: %w", err)
	}
	return n.sending.Validate()
}

// Run is called by kong.
func (n *news) Run(hub *client.Client, std streams, c *commands) error {
	if n.State == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return usageError{fmt.Errorf("name a directory by --state: %w", err)}
		}
		n.State = filepath.Join(cache, "tickertape", "news")
	}
	// One file has one writer.
	slices.Sort(n.Feeds)
	n.Feeds = slices.Compact(n.Feeds)

	ctx, stop := untilSignal()
	defer stop()
	room := &newsroom{news: n, hub: hub, std: std, url: c.URL, slots: make(chan struct{}, maxFetches),
		fetcher: feed.NewFetcher(feed.Options{UserAgent: "tickertape-publisher/" + version})}
	defer room.fetcher.Close()
	err := room.run(ctx)
	interrupted := ctx.Err() != nil
	room.report(interrupted || err != nil)
	switch {
	case interrupted && errors.Is(err, context.Canceled) && n.Once:
		return errInterrupted
	case interrupted && errors.Is(err, context.Canceled):
		return nil
	case err == nil && room.faults > 0:
		return fmt.Errorf("%d of %d feeds failed", room.faults, len(n.Feeds))
	}
	return err
}

// stateFile returns where it is remembered what of a feed was published to
// this topic of this hub.
func (n *news) stateFile(hub, address string) string {
	h := sha256.Sum256([]byte(hub + "\n" + n.Topic + "\n" + address))
	return filepath.Join(n.State, hex.EncodeToString(h[:16])+".json")
}
