package auth_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"tickertape/internal/auth"
	"tickertape/internal/event"
)

const (
	issuer   = "https://login.example.com"
	audience = "tickertape"
)

// pair is a key that signs, and what a set says of it.
type pair struct {
	id        string
	private   any
	algorithm jwa.SignatureAlgorithm
}

func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newEC(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newEd(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// keySet returns the public keys as a JSON Web Key Set.
func keySet(t *testing.T, pairs ...pair) []byte {
	t.Helper()
	set := jwk.NewSet()
	for _, p := range pairs {
		k, err := jwk.Import(p.private)
		if err != nil {
			t.Fatal(err)
		}
		public, err := jwk.PublicKeyOf(k)
		if err != nil {
			t.Fatal(err)
		}
		if p.id != "" {
			if err := public.Set(jwk.KeyIDKey, p.id); err != nil {
				t.Fatal(err)
			}
		}
		if err := set.AddKey(public); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// file writes a file of keys.
func file(t *testing.T, text []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// claims are those of a good token, but for some that are changed; nil: left out.
func claims(changes map[string]any) map[string]any {
	all := map[string]any{"iss": issuer, "aud": audience, "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(),
		"publish": []string{"news.**"}, "subscribe": "quotes.*", "manage": []string{"chat.{sub}.*"}}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// sign returns a token with those claims.
func sign(t *testing.T, p pair, claims any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	h := jws.NewHeaders()
	if p.id != "" {
		if err := h.Set(jws.KeyIDKey, p.id); err != nil {
			t.Fatal(err)
		}
	}
	token, err := jws.Sign(payload, jws.WithKey(p.algorithm, p.private, jws.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// handmade returns a token with that head, whose signature is what sign makes of
// what stands before it.
func handmade(t *testing.T, head string, claims any, sign func(string) []byte) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	before := encode([]byte(head)) + "." + encode(payload)
	return before + "." + encode(sign(before))
}

func open(t *testing.T, p auth.Policy) *auth.Authority {
	t.Helper()
	a, err := auth.New(p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func tokens(keys string) *auth.Tokens {
	return &auth.Tokens{Keys: keys, Issuer: issuer, Audience: audience, Leeway: 5 * time.Second}
}

// TestAlgorithms: tokens of every kind are taken, with the id of their key or
// without, from a set or from PEM.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	key, secret := newRSA(t, 2048), bytes.Repeat([]byte{7}, 64)
	for _, p := range []pair{
		{"a", secret, jwa.HS256()}, {"a", secret, jwa.HS384()}, {"a", secret, jwa.HS512()},
		{"a", key, jwa.RS256()}, {"a", key, jwa.RS384()}, {"a", key, jwa.RS512()},
		{"a", key, jwa.PS256()}, {"a", key, jwa.PS384()}, {"a", key, jwa.PS512()},
		{"a", newEC(t, elliptic.P256()), jwa.ES256()}, {"a", newEC(t, elliptic.P384()), jwa.ES384()},
		{"a", newEC(t, elliptic.P521()), jwa.ES512()}, {"a", newEd(t), jwa.EdDSA()},
	} {
		t.Run(p.algorithm.String(), func(t *testing.T) {
			t.Parallel()
			names := []string{file(t, keySet(t, pair{"other", newEd(t), jwa.EdDSA()}, p))}
			if s, ok := p.private.(crypto.Signer); ok {
				der, err := x509.MarshalPKIXPublicKey(s.Public())
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, file(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
			}
			for _, name := range names {
				a := open(t, auth.Policy{Tokens: tokens(name)})
				for _, id := range []string{p.id, ""} {
					c, err := a.Identify(t.Context(), sign(t, pair{id, p.private, p.algorithm}, claims(nil)))
					if err != nil {
						t.Fatalf("kid %q: %v", id, err)
					}
					checkRights(t, c)
				}
			}
		})
	}
}

func checkRights(t *testing.T, c *auth.Caller) {
	t.Helper()
	if c.Subject != "alice" || time.Until(c.Expires) < 59*time.Minute {
		t.Errorf("%+v", c)
	}
	for _, x := range []struct {
		action auth.Action
		topic  event.Topic
		may    bool
	}{
		{auth.Publish, "news.a.b", true}, {auth.Publish, "quotes.a", false}, {auth.Subscribe, "quotes.a", true},
		{auth.Subscribe, "news.a", false}, {auth.Manage, "chat.alice.7", true}, {auth.Manage, "chat.bob.7", false},
	} {
		if err := c.Check(x.action, x.topic); (err == nil) != x.may {
			t.Errorf("%s %s: %v", x.action, x.topic, err)
		}
	}
}

// TestBadTokens: each kind of bad token is refused, and the answer names the cause.
func TestBadTokens(t *testing.T) {
	t.Parallel()
	good, ec := pair{"a", newRSA(t, 2048), jwa.RS256()}, pair{"e", newEC(t, elliptic.P256()), jwa.ES256()}
	name := file(t, keySet(t, good, ec))
	a := open(t, auth.Policy{Tokens: tokens(name)})
	ago := time.Now().Add(-time.Hour)
	hmacOfPublic := pair{"a", publicPEM(t, good), jwa.HS256()}
	changed := sign(t, good, claims(nil))
	forged := strings.Split(sign(t, good, claims(map[string]any{"sub": "eve"})), ".")[1]
	parts := strings.Split(changed, ".")
	for _, x := range []struct{ what, token, cause string }{
		{"no token", "hello", "is no token"},
		{"five parts, as of an encrypted one", "a.b.c.d.e", "is no token"},
		{"not base64", "?.e.f", "not in base64url"},
		{"no JSON", "e30x.e.f", "no JSON object"},
		{"unsigned", handmade(t, `{"alg":"none"}`, claims(nil), func(string) []byte { return nil }), "alg is none"},
		{"unsigned, in other letters", handmade(t, `{"alg":"nOnE"}`, claims(nil), func(string) []byte { return nil }), `alg is "nOnE"`},
		{"no alg", handmade(t, `{"kid":"a"}`, claims(nil), func(string) []byte { return nil }), `alg is ""`},
		{"HMAC with the public key", sign(t, hmacOfPublic, claims(nil)), "no such key for the token's alg, which is HS256"},
		{"another key's id", sign(t, pair{"e", good.private, good.algorithm}, claims(nil)), "no such key for the token's alg, which is RS256"},
		{"unknown key id", sign(t, pair{"zz", good.private, good.algorithm}, claims(nil)), `no key with the token's kid "zz"`},
		{"another key", sign(t, pair{"a", newRSA(t, 2048), jwa.RS256()}, claims(nil)), "signature"},
		{"changed behind the signature", parts[0] + "." + forged + "." + parts[2], "signature"},
		{"the key in its own head", ownKey(t), "signature"},
		{"a demand that nobody knows", critical(t, good), "signature"},
		{"expired", sign(t, good, claims(map[string]any{"exp": ago.Unix()})), "expired at " + ago.UTC().Format(time.RFC3339)},
		{"without end", sign(t, good, claims(map[string]any{"exp": nil})), "no exp"},
		{"not yet valid", sign(t, good, claims(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()})), "not valid before"},
		{"from the future", sign(t, good, claims(map[string]any{"iat": time.Now().Add(time.Hour).Unix()})), "in the future"},
		{"another issuer", sign(t, good, claims(map[string]any{"iss": "https://evil.example"})), `iss is "https://evil.example"`},
		{"no issuer", sign(t, good, claims(map[string]any{"iss": nil})), `iss is ""`},
		{"another audience", sign(t, good, claims(map[string]any{"aud": []string{"a", "b"}})), `aud is "a b"`},
		{"no audience", sign(t, good, claims(map[string]any{"aud": nil})), `aud is ""`},
		{"no claims", sign(t, good, []int{1}), "no JSON object of claims"},
		{"a right to nothing", sign(t, good, claims(map[string]any{"publish": "a..b"})), "claim publish"},
		{"rights in another form", sign(t, good, claims(map[string]any{"subscribe": map[string]any{"a": 1}})), "claim subscribe is no selector"},
		{"rights of numbers", sign(t, good, claims(map[string]any{"manage": []int{1}})), "claim manage is no selector"},
		{"too many rights", sign(t, good, claims(map[string]any{"publish": make([]string, 101)})), "at most 100"},
		{"nobody's rights", sign(t, good, claims(map[string]any{"sub": nil})), "needs a subject"},
		{"too long", sign(t, good, claims(map[string]any{"x": strings.Repeat("x", 9000)})), "at most 8192"},
		{"no such API key", "tt_abc", "no such API key"},
	} {
		t.Run(x.what, func(t *testing.T) {
			t.Parallel()
			_, err := a.Identify(t.Context(), x.token)
			refused, ok := errors.AsType[*auth.CredentialError](err)
			if !ok || !strings.Contains(refused.Cause, x.cause) || strings.Contains(refused.Cause, issuer) {
				t.Errorf("%v; want %q", err, x.cause)
			}
		})
	}
	if _, err := a.Identify(t.Context(), changed); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func publicPEM(t *testing.T, p pair) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(p.private.(crypto.Signer).Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// ownKey returns a token that brings the key it is signed by (CVE-2018-0114).
func ownKey(t *testing.T) string {
	t.Helper()
	k, err := jwk.Import(newRSA(t, 2048))
	if err != nil {
		t.Fatal(err)
	}
	public, err := jwk.PublicKeyOf(k)
	if err != nil {
		t.Fatal(err)
	}
	h := jws.NewHeaders()
	if err := errors.Join(h.Set(jws.JWKKey, public), h.Set(jws.KeyIDKey, "a")); err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.RS256(), k, jws.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// critical returns a token whose head has something that must be understood (RFC
// 7515, section 4.1.11).
func critical(t *testing.T, p pair) string {
	t.Helper()
	return handmade(t, `{"alg":"RS256","kid":"a","crit":["urgent"],"urgent":true}`, claims(nil), func(before string) []byte {
		hash := crypto.SHA256.New()
		hash.Write([]byte(before))
		signature, err := rsa.SignPKCS1v15(nil, p.private.(*rsa.PrivateKey), crypto.SHA256, hash.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		return signature
	})
}
