// Package auth says who may do what with which topics. It reads credentials:
// tokens (RFC 7519) whose keys are in a file or at an address, and API keys. It
// knows no HTTP but to fetch those keys.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tickertape/internal/event"
)

// Policy is who has which rights.
type Policy struct {
	Anonymous Rights // of everybody
	// AnonymousRate is how many messages a second whoever has no credential may
	// publish, each by itself; 0: as many as they like.
	AnonymousRate float64
	APIKeys       []APIKey
	Tokens        *Tokens // nil: none are taken
}

// Authority knows callers by their credentials. Several goroutines may ask it at
// once.
type Authority struct {
	open      bool // credentials are not looked at
	anonymous *Caller
	keys      apiKeys
	tokens    *verifier
}

// New returns an Authority for the policy, or says what is wrong with that. Its
// owner closes it. Keys of tokens that come from an address may be missing at
// first: until they are there, tokens are answered ErrNoKeys.
func New(p Policy, log *slog.Logger) (*Authority, error) {
	a := &Authority{anonymous: &Caller{Name: "anonymous", Rights: p.Anonymous, Allowance: event.Allowance{PerSecond: p.AnonymousRate}, anonymous: true}, keys: p.APIKeys}
	names, hashes := map[string]bool{}, map[Hash]bool{}
	for _, k := range p.APIKeys {
		if k.Name == "" || names[k.Name] || hashes[k.Hash] {
			return nil, fmt.Errorf("the API key %q has no name, or the name or hash of another one", k.Name)
		}
		names[k.Name], hashes[k.Hash] = true, true
	}
	if p.Tokens == nil {
		return a, nil
	}
	var err error
	a.tokens, err = newVerifier(*p.Tokens, log)
	return a, err
}

// Open returns an Authority that lets everybody do everything, whatever their
// credentials are.
func Open() *Authority {
	everything := Grants{}
	for _, action := range Actions {
		everything[action] = []Pattern{{"**"}}
	}
	rights, _ := everything.For("") // depends on nobody
	return &Authority{open: true, anonymous: &Caller{Name: "anonymous", Rights: rights, anonymous: true}}
}

// IsOpen reports whether everybody may do everything.
func (a *Authority) IsOpen() bool { return a.open }

// Close ends what New began.
func (a *Authority) Close() {
	if a.tokens != nil {
		a.tokens.source.close()
	}
}

// Ready says why tokens cannot be told from others now; nil: they can.
func (a *Authority) Ready() error {
	if a.tokens == nil || a.tokens.source.now().read {
		return nil
	}
	return ErrNoKeys
}

// ErrNoKeys says that the keys of tokens could not be read yet. It passes.
var ErrNoKeys = errors.New("the keys of tokens could not be read yet")

// Identify returns who has the credential; without one, what everybody may do.
// The error is a CredentialError, or ErrNoKeys. The caller is shared: it must not
// be changed.
func (a *Authority) Identify(ctx context.Context, credential string) (*Caller, error) {
	switch {
	case credential == "" || a.open:
		return a.anonymous, nil
	case isAPIKey(credential):
		return a.keys.find(credential)
	case a.tokens == nil:
		return nil, refuse("the hub takes no tokens: its --config names no keys for them")
	}
	c, err := a.tokens.identify(ctx, credential)
	if err != nil {
		return nil, err
	}
	return c, c.Live(time.Now())
}
