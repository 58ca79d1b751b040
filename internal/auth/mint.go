package auth

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// Claims are what a token says.
type Claims struct {
	Subject, Issuer, Audience string
	Lifetime                  time.Duration
	Rights                    map[Action][]string
}

// Mint returns a token that a private key (a JSON Web Key, a set whose first key
// counts, or PEM) has signed. Issuers have libraries for this in their own
// languages; it is for trying things out.
func Mint(c Claims, private []byte) (string, error) {
	isPEM := bytes.Contains(private, []byte("-----BEGIN "))
	set, err := jwk.Parse(private, jwk.WithPEM(isPEM))
	if err != nil {
		return "", fmt.Errorf("this is neither a JSON Web Key nor one in PEM: %w", err)
	}
	k, ok := set.Key(0)
	if !ok {
		return "", errors.New("there is no key in the set")
	}
	if public, err := jwk.IsPrivateKey(k); err == nil && !public {
		return "", errors.New("this is a public key; tokens are signed by the private one")
	}
	return mint(c, k)
}

// MintWithSecret is Mint with a secret, which signs by HS256.
func MintWithSecret(c Claims, secret []byte) (string, error) {
	k, err := jwk.Import(secret)
	if err != nil {
		return "", err
	}
	return mint(c, k)
}

func mint(c Claims, k jwk.Key) (string, error) {
	read, err := readKey(k)
	if err != nil {
		return "", err
	}
	now := time.Now()
	b := jwt.NewBuilder().IssuedAt(now).Expiration(now.Add(c.Lifetime))
	if c.Subject != "" {
		b = b.Subject(c.Subject)
	}
	if c.Issuer != "" {
		b = b.Issuer(c.Issuer)
	}
	if c.Audience != "" {
		b = b.Audience([]string{c.Audience})
	}
	for _, action := range Actions {
		for _, text := range c.Rights[action] {
			if _, err := ParsePattern(text); err != nil {
				return "", fmt.Errorf("%s: %w", action, err)
			}
		}
		if len(c.Rights[action]) > 0 {
			b = b.Claim(string(action), c.Rights[action])
		}
	}
	token, err := b.Build()
	if err != nil {
		return "", err
	}
	signed, err := jwt.Sign(token, jwt.WithKey(read.algorithms[0], k))
	return string(signed), err
}
