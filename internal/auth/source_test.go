package auth_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"

	"tickertape/internal/auth"
)

// keyServer answers with a set of keys, or not at all.
type keyServer struct {
	*httptest.Server
	text  atomic.Pointer[[]byte] // nil: 500
	asked atomic.Int64
}

func newKeyServer(t *testing.T) *keyServer {
	s := &keyServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		text := s.text.Load()
		if text == nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(*text)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) serve(text []byte) { s.text.Store(&text) }

// TestNoKeysYet: while no keys could be read, tokens are neither good nor bad; as
// soon as they can be, they are.
func TestNoKeysYet(t *testing.T) {
	t.Parallel()
	s, p := newKeyServer(t), pair{"a", newEd(t), jwa.EdDSA()}
	secret := bytes.Repeat([]byte{1}, 32)
	policy := tokens(s.URL)
	policy.Secret = secret
	a := open(t, auth.Policy{Tokens: policy})
	token := sign(t, p, claims(nil))
	if _, err := a.Identify(t.Context(), token); !errors.Is(err, auth.ErrNoKeys) || !errors.Is(a.Ready(), auth.ErrNoKeys) {
		t.Fatalf("%v, ready: %v", err, a.Ready())
	}
	if _, err := a.Identify(t.Context(), sign(t, pair{"", secret, jwa.HS256()}, claims(nil))); err != nil {
		t.Errorf("by the secret: %v", err)
	}
	s.serve(keySet(t, p))
	await(t, func() bool {
		_, err := a.Identify(t.Context(), token)
		return err == nil
	})
	if err := a.Ready(); err != nil {
		t.Error(err)
	}
}

// await waits until it is so: keys are read again after 10 seconds.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); {
		if time.Now().After(end) {
			t.Fatal("it did not become so")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestExchange: a token by a new key is good as soon as the file has that, one by
// a key that is gone is bad, also when it was good before; a file that is broken
// changes nothing.
func TestExchange(t *testing.T) {
	t.Parallel()
	first, second := pair{"a", newEd(t), jwa.EdDSA()}, pair{"b", newEd(t), jwa.EdDSA()}
	name := file(t, keySet(t, first))
	var warned atomic.Bool
	a, err := auth.New(auth.Policy{Tokens: tokens(name)}, slog.New(warnings{slog.DiscardHandler, &warned}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	old, young := sign(t, first, claims(nil)), sign(t, second, claims(nil))
	good := func(token string) bool {
		_, err := a.Identify(t.Context(), token)
		return err == nil
	}
	if !good(old) || good(young) {
		t.Fatal("before the exchange")
	}
	write := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(keySet(t, first, second))
	await(t, func() bool { return good(young) })
	if !good(old) {
		t.Error("the old one is bad too early")
	}
	write([]byte("{"))
	await(t, warned.Load)
	if !good(old) || !good(young) {
		t.Error("a broken file counts")
	}
	write(keySet(t, second))
	await(t, func() bool { return !good(old) })
	if !good(young) {
		t.Error("the young one is bad")
	}
}

// warnings notes that something was to be warned of.
type warnings struct {
	slog.Handler
	seen *atomic.Bool
}

func (w warnings) Enabled(_ context.Context, l slog.Level) bool {
	if l >= slog.LevelWarn {
		w.seen.Store(true)
	}
	return false
}

// TestMadeUpKeys: whoever sends tokens with keys made up does not make the hub ask
// for keys each time.
func TestMadeUpKeys(t *testing.T) {
	t.Parallel()
	s, p := newKeyServer(t), pair{"a", newEd(t), jwa.EdDSA()}
	s.serve(keySet(t, p))
	a := open(t, auth.Policy{Tokens: tokens(s.URL)})
	for range 100 {
		if _, err := a.Identify(t.Context(), sign(t, pair{"made-up", p.private, p.algorithm}, claims(nil))); err == nil {
			t.Fatal("an unknown key is taken")
		}
	}
	if n := s.asked.Load(); n > 3 {
		t.Errorf("asked %d times", n)
	}
}

// TestSourcesRefused: settings that cannot be right are refused at the start.
func TestSourcesRefused(t *testing.T) {
	t.Parallel()
	moved := httptest.NewServer(http.RedirectHandler("https://example.com/keys", http.StatusFound))
	t.Cleanup(moved.Close)
	small := publicPEM(t, pair{"a", newRSA(t, 1024), jwa.RS256()})
	for _, x := range []struct {
		what  string
		token auth.Tokens
		cause string
	}{
		{"nothing", auth.Tokens{}, "tokens need keys"},
		{"no file", auth.Tokens{Keys: "/nowhere/keys"}, "/nowhere/keys"},
		{"no keys", auth.Tokens{Keys: file(t, []byte(`{"keys":[]}`))}, "no key among them"},
		{"something else", auth.Tokens{Keys: file(t, []byte(`hello`))}, "neither a JSON Web Key Set nor keys in PEM"},
		{"keys for something else", auth.Tokens{Keys: file(t, []byte(`{"keys":[{"kty":"oct","use":"enc","k":"AAAA"}]}`))}, "no key among them"},
		{"a short secret", auth.Tokens{Secret: []byte("secret")}, "a secret of 6 bytes"},
		{"a short secret in a file", auth.Tokens{Keys: file(t, []byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`))}, "a secret of 3 bytes"},
		{"a small key", auth.Tokens{Keys: file(t, small)}, "2048"},
		{"an open way", auth.Tokens{Keys: "http://example.com/keys"}, "https"},
		{"a password in the address", auth.Tokens{Keys: "https://a:b@example.com/keys"}, "not of the form"},
		{"another way", auth.Tokens{Keys: "ftp://example.com/keys"}, "https"},
		{"clocks far apart", auth.Tokens{Secret: bytes.Repeat([]byte{1}, 32), Leeway: time.Hour}, "leeway"},
	} {
		t.Run(x.what, func(t *testing.T) {
			t.Parallel()
			a, err := auth.New(auth.Policy{Tokens: &x.token}, slog.New(slog.DiscardHandler))
			if err == nil {
				a.Close()
			}
			if err == nil || !strings.Contains(err.Error(), x.cause) || strings.Contains(err.Error(), "a:b@") {
				t.Errorf("%v; want %q", err, x.cause)
			}
		})
	}
	t.Run("an address that leads elsewhere", func(t *testing.T) {
		t.Parallel()
		a := open(t, auth.Policy{Tokens: &auth.Tokens{Keys: moved.URL}})
		if err := a.Ready(); !errors.Is(err, auth.ErrNoKeys) {
			t.Error(err)
		}
	})
}

// TestPatience: who waits for keys does so no longer than it wants to.
func TestPatience(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(release) })
	a := open(t, auth.Policy{Tokens: tokens(s.URL)})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := a.Identify(ctx, sign(t, pair{"a", newEd(t), jwa.EdDSA()}, claims(nil)))
	if !errors.Is(err, auth.ErrNoKeys) || time.Since(begin) > 4*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}
