package web_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tickertape/internal/auth"
	"tickertape/internal/event"
)

// issuer signs tokens for a hub.
type issuer struct {
	t       testing.TB
	private ed25519.PrivateKey
	public  []byte // in PEM
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}
}

// keyFile returns a file with the issuer's public key, called k1.
func (i *issuer) keyFile() string {
	i.t.Helper()
	name := filepath.Join(i.t.(*testing.T).TempDir(), "keys.json")
	x := base64.RawURLEncoding.EncodeToString(i.private.Public().(ed25519.PublicKey))
	if err := os.WriteFile(name, []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"`+x+`"}]}`), 0o600); err != nil {
		i.t.Fatal(err)
	}
	return name
}

// claims are what a token says; nil takes one away.
type claims map[string]any

// token returns one of alice's, for an hour, with those changes.
func (i *issuer) token(changes claims) string {
	return i.made(`{"alg":"EdDSA","kid":"k1"}`, changes, func(text []byte) []byte { return ed25519.Sign(i.private, text) })
}

func (i *issuer) made(head string, changes claims, sign func([]byte) []byte) string {
	i.t.Helper()
	all := claims{"iss": "login", "aud": "hub", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	body, err := json.Marshal(all)
	if err != nil {
		i.t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(head)) + "." + encode(body)
	return text + "." + encode(sign([]byte(text)))
}

// unsigned returns a token without signature.
func (i *issuer) unsigned(changes claims) string {
	return i.made(`{"alg":"none","kid":"k1"}`, changes, func([]byte) []byte { return nil })
}

// confused returns a token that is signed by HMAC with what everybody can know.
func (i *issuer) confused(changes claims) string {
	return i.made(`{"alg":"HS256","kid":"k1"}`, changes, func(text []byte) []byte {
		h := hmac.New(sha256.New, i.public)
		h.Write(text)
		return h.Sum(nil)
	})
}

// authority takes the issuer's tokens, and those API keys.
func (i *issuer) authority(anonymous auth.Rights, keys ...auth.APIKey) *auth.Authority {
	i.t.Helper()
	return i.authorityOf(auth.Policy{Anonymous: anonymous, APIKeys: keys,
		Tokens: &auth.Tokens{Keys: i.keyFile(), Issuer: "login", Audience: "hub"}})
}

func (i *issuer) authorityOf(p auth.Policy) *auth.Authority {
	i.t.Helper()
	a, err := auth.New(p, slog.New(slog.DiscardHandler))
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(a.Close)
	return a
}

func selectors(t testing.TB, texts ...string) (all []event.Selector) {
	t.Helper()
	for _, text := range texts {
		s, err := event.ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}
