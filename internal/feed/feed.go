// Package feed reads news feeds (RSS, Atom, JSON Feed) from the web, and
// remembers which of their items are old. What a feed says is not trusted: its
// size, time, depth and redirections are bounded, its HTML becomes text, and
// its links lead to web pages only.
package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Item is a piece of news. Its texts are valid UTF-8 without markup.
type Item struct {
	ID        string // the item's own in its feed
	Title     string
	Link      string    // of http or https, or empty
	Source    string    // who publishes it: the feed's title
	Published time.Time // zero if the feed does not say
	Summary   string
}

// Version is what a server said of the page that it answered with: asked with
// it, it need not send the same page again.
type Version struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

// Page is what a feed holds at a time.
type Page struct {
	Items   []Item // oldest first
	Version Version
	// Unchanged says that the page is the one that was asked about; then
	// there are no Items.
	Unchanged bool
}

// Options are a Fetcher's settings. Zero fields mean the defaults.
type Options struct {
	Transport http.RoundTripper
	Timeout   time.Duration // of one request in all, redirections too; 30 s
	UserAgent string
}

// Fetcher asks for feeds. Its methods may be called from any goroutine.
type Fetcher struct {
	http  *http.Client
	agent string
}

const (
	maxPage      = 5 << 20 // of a feed, once decompressed
	maxRedirects = 5
	maxVersion   = 1 << 10 // of an ETag or Last-Modified
	maxWait      = 24 * time.Hour
)

// NewFetcher returns a Fetcher.
func NewFetcher(o Options) *Fetcher {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	return &Fetcher{agent: o.UserAgent, http: &http.Client{Transport: o.Transport, Timeout: o.Timeout, CheckRedirect: checkRedirect}}
}

func newTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxResponseHeaderBytes = 64 << 10
	return t
}

func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("over %d redirections", maxRedirects)
	}
	return checkAddress(r.URL)
}

// CheckURL says what is wrong with the address of a feed.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%q is not a URL like https://example.com/feed.xml", address)
	}
	return checkAddress(u)
}

func checkAddress(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is not a URL of http or https", u.Redacted())
	}
	return nil
}

// Close closes the connections that no request uses.
func (f *Fetcher) Close() { f.http.CloseIdleConnections() }

// StatusError is an answer that is no feed.
type StatusError struct {
	Status     int
	RetryAfter time.Duration // how long the server asks to wait, at most a day; 0 if it did not say
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
}

// Fetch asks for a feed. It returns an error for everything that is not a feed
// that can be read whole: nothing is taken from a part of one.
func (f *Fetcher) Fetch(ctx context.Context, address string, known Version) (Page, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Page{}, err
	}
	request.Header.Set("User-Agent", f.agent)
	request.Header.Set("Accept", "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, application/json;q=0.8, */*;q=0.5")
	if known.ETag != "" {
		request.Header.Set("If-None-Match", known.ETag)
	}
	if known.LastModified != "" {
		request.Header.Set("If-Modified-Since", known.LastModified)
	}
	response, err := f.http.Do(request)
	if err != nil {
		return Page{}, withoutURL(err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && known != Version{}:
		return Page{Version: known, Unchanged: true}, nil
	case response.StatusCode != http.StatusOK:
		return Page{}, &StatusError{Status: response.StatusCode, RetryAfter: retryAfter(response.Header)}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	if err != nil {
		return Page{}, fmt.Errorf("the feed broke off: %w", err)
	}
	if len(body) > maxPage {
		return Page{}, fmt.Errorf("the feed is over %d MiB", maxPage>>20)
	}
	items, err := parse(body, response.Header.Get("Content-Type"), response.Request.URL)
	if err != nil {
		return Page{}, err
	}
	return Page{Items: items, Version: versionOf(response.Header)}, nil
}

// versionOf leaves out what is too long to be kept.
func versionOf(h http.Header) (v Version) {
	if tag := h.Get("ETag"); len(tag) <= maxVersion {
		v.ETag = tag
	}
	if at := h.Get("Last-Modified"); len(at) <= maxVersion {
		v.LastModified = at
	}
	return v
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, int(maxWait/time.Second))) * time.Second
}

// withoutURL returns what is behind an *url.Error: whoever asks knows the
// address.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return fmt.Errorf("no answer in time: %w", e.Err)
		}
		return e.Err
	}
	return err
}
