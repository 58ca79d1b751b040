package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"tickertape/internal/event"
)

// Tokens are which tokens the hub takes, and what they bring.
type Tokens struct {
	// Keys is a file or an https address: a JSON Web Key Set (RFC 7517), or public
	// keys in PEM.
	Keys string
	// Secret is one more key, for HS256, HS384 and HS512. At least 32 bytes.
	Secret []byte
	// Issuer and Audience are what iss must be and aud must have, if they are set.
	Issuer, Audience string
	// Leeway is how far the clocks of issuer and hub may be apart. At most 5 min
	Leeway time.Duration
	// Grants are rights of everyone with a token, besides those that it claims.
	Grants Grants
	// PublishRate is how many messages a second those with tokens of one subject may
	// publish; 0: as many as they like.
	PublishRate float64
}

const (
	maxToken  = 8 << 10 // bytes
	maxClaims = 100     // selectors that a claim may name
)

// verifier tells good tokens from others.
type verifier struct {
	Tokens
	source *source
}

func newVerifier(t Tokens, log *slog.Logger) (*verifier, error) {
	if t.Leeway < 0 || t.Leeway > 5*time.Minute {
		return nil, fmt.Errorf("leeway is %s; use a duration from 0s to 5m", t.Leeway)
	}
	s, err := openSource(t.Keys, t.Secret, log)
	return &verifier{t, s}, err
}

// identify returns who has the token. What was verified once is remembered as
// long as the keys are the same.
func (v *verifier) identify(ctx context.Context, token string) (*Caller, error) {
	if len(token) > maxToken {
		return nil, refuse("the token is %d bytes long; at most %d are taken", len(token), maxToken)
	}
	known := v.source.now()
	hash := sha256.Sum256([]byte(token))
	if c, ok := known.verified.Get(hash); ok {
		return c, nil
	}
	payload, known, err := v.verify(ctx, token, known)
	if err != nil {
		return nil, err
	}
	c, err := v.callerOf(payload)
	if err == nil {
		known.verified.Put(hash, c)
	}
	return c, err
}

// verify returns what a token says, once its signature is known to be good, and
// the keys by which it is.
func (v *verifier) verify(ctx context.Context, token string, known *keys) ([]byte, *keys, error) {
	head, err := headOf(token)
	if err != nil {
		return nil, known, err
	}
	fits, err := known.fitting(head)
	if _, unknown := errors.AsType[*unknownKeyError](err); unknown || errors.Is(err, ErrNoKeys) {
		known = v.source.again(ctx, known)
		fits, err = known.fitting(head)
	}
	if unknown, ok := errors.AsType[*unknownKeyError](err); ok {
		return nil, known, refuse("%v", unknown)
	}
	if err != nil {
		return nil, known, err
	}
	for _, k := range fits {
		if payload, err := jws.Verify([]byte(token), jws.WithCompact(), jws.WithKey(head.algorithm, k), jws.WithCritValidation(true)); err == nil {
			return payload, known, nil
		}
	}
	return nil, known, refuse("the token's signature is not by the key that it names, or it was changed behind it")
}

// callerOf reads the claims (RFC 7519, section 4.1, and the rights).
func (v *verifier) callerOf(payload []byte) (*Caller, error) {
	t, err := jwt.ParseInsecure(payload) // its signature has been verified
	if err != nil {
		return nil, refuse("what the token says is no JSON object of claims")
	}
	if err := v.validate(t); err != nil {
		return nil, err
	}
	expires, _ := t.Expiration()
	subject, _ := t.Subject()
	c := &Caller{Name: "token of nobody", Subject: subject, Expires: expires.Add(v.Leeway),
		Allowance: event.Allowance{Name: "token " + subject, PerSecond: v.PublishRate}}
	if subject != "" {
		c.Name = fmt.Sprintf("token of %.64q", subject)
	}
	grants := Grants{}
	for _, action := range Actions {
		grants[action] = append(grants[action], v.Grants[action]...)
		claimed, err := claimed(t, action)
		if err != nil {
			return nil, err
		}
		grants[action] = append(grants[action], claimed...)
	}
	if c.Rights, err = grants.For(subject); err != nil {
		return nil, refuse("the token's sub cannot stand in a topic: %v", err)
	}
	return c, nil
}

// validate checks when, by whom and for whom the token was issued.
func (v *verifier) validate(t jwt.Token) error {
	checks := []jwt.ValidateOption{jwt.WithAcceptableSkew(v.Leeway), jwt.WithClock(jwt.ClockFunc(time.Now)),
		jwt.WithRequiredClaim(jwt.ExpirationKey)}
	if v.Issuer != "" {
		checks = append(checks, jwt.WithIssuer(v.Issuer))
	}
	if v.Audience != "" {
		checks = append(checks, jwt.WithAudience(v.Audience))
	}
	err := jwt.Validate(t, checks...)
	at := func(when time.Time, _ bool) string { return when.UTC().Format(time.RFC3339) }
	issuer, _ := t.Issuer()
	audience, _ := t.Audience()
	switch {
	case err == nil:
		return nil
	case !t.Has(jwt.ExpirationKey):
		return refuse("the token has no exp: it must say when it expires")
	case errors.Is(err, jwt.TokenExpiredError()):
		return refuse("the token expired at %s", at(t.Expiration()))
	case errors.Is(err, jwt.TokenNotYetValidError()):
		return refuse("the token is not valid before %s", at(t.NotBefore()))
	case errors.Is(err, jwt.InvalidIssuedAtError()):
		return refuse("the token was issued in the future, at %s", at(t.IssuedAt()))
	case errors.Is(err, jwt.InvalidIssuerError()):
		return refuse("the token's iss is %.128q; the hub takes those of another issuer", issuer)
	case errors.Is(err, jwt.InvalidAudienceError()):
		return refuse("the token's aud is %.128q; the hub's own is not among them", strings.Join(audience, " "))
	}
	return refuse("the token's claims are not valid")
}

// claimed reads the claim of an action: a selector, or a list of them.
func claimed(t jwt.Token, action Action) ([]Pattern, error) {
	var value any
	if !t.Has(string(action)) {
		return nil, nil
	}
	if err := t.Get(string(action), &value); err != nil {
		return nil, refuse("the token's claim %s cannot be read", action)
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	if len(list) > maxClaims {
		return nil, refuse("the token's claim %s has %d entries; at most %d are taken", action, len(list), maxClaims)
	}
	patterns := make([]Pattern, 0, len(list))
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, refuse("the token's claim %s is no selector and no list of selectors", action)
		}
		p, err := ParsePattern(text)
		if err != nil {
			return nil, refuse("the token's claim %s: %v", action, err)
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}
