// Package client speaks to a hub over HTTP, as any program outside could: it
// publishes messages, and pipes and listens through every broken connection.
package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Options are a client's settings. Zero fields mean the defaults.
type Options struct {
	// Transport carries the requests. The default is one of the client's
	// own, with the proxies that the environment names.
	Transport http.RoundTripper
	// Timeout is how long a publish waits for its answer. 30 s; a hub
	// answers within 5 s once it has the body.
	Timeout time.Duration
	// Silence is how long a stream may bring no byte before it is taken for
	// dead. 45 s; a hub says something every 18 s at the latest.
	Silence time.Duration
	// Credential, if set, is asked before each request for a token or an API key
	// to send along; it may be another one each time. Pipe and Listen ask again
	// when the hub has refused one, and go on if there is another. No redirect to
	// another host gets it.
	Credential func() (string, error)
}

// Client speaks to one hub, or to several behind one address. Its methods may
// be called from any goroutine.
type Client struct {
	publish string
	events  string
	topics  string
	http    *http.Client
	timeout time.Duration
	silence time.Duration

	credential func() (string, error) // may be nil
}

// New returns a Client for the hub at a URL like http://127.0.0.1:8080. A path
// in it is the prefix under which a proxy serves the hub.
func New(baseURL string, o Options) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("%q is not a URL like http://127.0.0.1:8080", baseURL)
	}
	if base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("%q has a query or a fragment; give the hub's address alone", baseURL)
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Silence == 0 {
		o.Silence = 45 * time.Second
	}
	return &Client{
		publish: base.JoinPath("publish").String(),
		events:  base.JoinPath("events").String(),
		topics:  base.JoinPath("topics").String(),
		http:    &http.Client{Transport: o.Transport, CheckRedirect: checkRedirect},
		timeout: o.Timeout,
		silence: o.Silence,

		credential: o.Credential,
	}, nil
}

// checkRedirect follows for streams alone: a redirected POST becomes a GET, or
// goes to who was not meant, and its body is spent.
func checkRedirect(_ *http.Request, via []*http.Request) error {
	switch {
	case via[0].Method != http.MethodGet:
		return http.ErrUseLastResponse
	case len(via) >= 10:
		return errors.New("redirected 10 times")
	}
	return nil
}

// newTransport returns a transport that never waits for more of a stream in
// order to decompress it, and that notices a dead HTTP/2 connection, which
// otherwise would be taken again for the next attempt.
func newTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.DisableCompression = true
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return t
}

// Close closes the connections that no request uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// sleep waits for d, or until ctx ends: then it returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
