package auth_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"tickertape/internal/auth"
)

func minted() auth.Claims {
	return auth.Claims{Subject: "alice", Issuer: issuer, Audience: audience, Lifetime: time.Hour, Rights: map[auth.Action][]string{
		auth.Publish: {"news.**"}, auth.Subscribe: {"quotes.*"}, auth.Manage: {"chat.{sub}.*"}}}
}

// TestMint: a token minted with a private key, in either form, is good for who has
// the public one.
func TestMint(t *testing.T) {
	t.Parallel()
	for _, p := range []pair{{"a", newRSA(t, 2048), jwa.RS256()}, {"a", newEC(t, elliptic.P384()), jwa.ES384()}, {"a", newEd(t), jwa.EdDSA()}} {
		t.Run(p.algorithm.String(), func(t *testing.T) {
			t.Parallel()
			der, err := x509.MarshalPKCS8PrivateKey(p.private)
			if err != nil {
				t.Fatal(err)
			}
			k, err := jwk.Import(p.private)
			if err != nil {
				t.Fatal(err)
			}
			if err := k.Set(jwk.KeyIDKey, "a"); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(k)
			if err != nil {
				t.Fatal(err)
			}
			a := open(t, auth.Policy{Tokens: tokens(file(t, keySet(t, p)))})
			for _, private := range [][]byte{pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), text} {
				token, err := auth.Mint(minted(), private)
				if err != nil {
					t.Fatal(err)
				}
				c, err := a.Identify(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				checkRights(t, c)
			}
		})
	}
}

// TestMintWithSecret: one minted with a secret is good for who has it.
func TestMintWithSecret(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{3}, 32)
	token, err := auth.MintWithSecret(minted(), secret)
	if err != nil {
		t.Fatal(err)
	}
	policy := tokens("")
	policy.Secret = secret
	c, err := open(t, auth.Policy{Tokens: policy}).Identify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	checkRights(t, c)
}

// TestMintRefused: what cannot sign, or would be refused by every hub, is told at
// once.
func TestMintRefused(t *testing.T) {
	t.Parallel()
	public := keySet(t, pair{"a", newEd(t), jwa.EdDSA()})
	if _, err := auth.Mint(minted(), public); err == nil || !strings.Contains(err.Error(), "public key") {
		t.Error(err)
	}
	if _, err := auth.Mint(minted(), []byte("x")); err == nil {
		t.Error("something is a key")
	}
	if _, err := auth.MintWithSecret(minted(), []byte("short")); err == nil || !strings.Contains(err.Error(), "5 bytes") {
		t.Error(err)
	}
	bad := minted()
	bad.Rights[auth.Publish] = []string{"a..b"}
	if _, err := auth.MintWithSecret(bad, bytes.Repeat([]byte{3}, 32)); err == nil || !strings.Contains(err.Error(), "publish") {
		t.Error(err)
	}
}
