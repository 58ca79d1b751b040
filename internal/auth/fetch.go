package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
)

// fetcher returns what reads keys from an address, or says why it may not.
func fetcher(address string) (func(context.Context) ([]byte, error), error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the keys' address is no URL: %w", err)
	case u.Host == "" || u.User != nil || u.Fragment != "":
		return nil, errors.New("the keys' address is not of the form https://host/path")
	case u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(u.Hostname())):
		return nil, errors.New("keys that come another way than https could be anybody's; http is for this machine alone")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		response, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the answer is %s", response.Status)
		}
		text, err := io.ReadAll(io.LimitReader(response.Body, maxKeyFile+1))
		if err == nil && len(text) > maxKeyFile {
			err = fmt.Errorf("the answer is over the limit of %d KiB", maxKeyFile>>10)
		}
		return text, err
	}, nil
}

// IsLoopback reports whether only this machine has the name or address.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
