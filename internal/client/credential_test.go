package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"tickertape/internal/auth"
	"tickertape/internal/client"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// guarded starts a node that takes tokens by the secret that it returns.
func guarded(t *testing.T) (*nodetest.Node, func(time.Duration) (string, error)) {
	t.Helper()
	secret := bytes.Repeat([]byte("s"), 32)
	a, err := auth.New(auth.Policy{Tokens: &auth.Tokens{Secret: secret}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	n := nodetest.Start(t, nodetest.Options{Stream: hasty, Web: web.Options{Authority: a}})
	return n, func(lifetime time.Duration) (string, error) {
		return auth.MintWithSecret(auth.Claims{Subject: "alice", Lifetime: lifetime,
			Rights: map[auth.Action][]string{auth.Publish: {"a"}, auth.Subscribe: {"a"}}}, secret)
	}
}

// TestCredential: a listener whose tokens expire goes on with new ones, without a
// loss; who has none is refused.
func TestCredential(t *testing.T) {
	t.Parallel()
	n, mint := guarded(t)
	var tokens atomic.Int64
	c := newClient(t, n.URL, client.Options{Credential: func() (string, error) {
		tokens.Add(1)
		return mint(2 * time.Second)
	}})
	l := listen(t, c, client.ListenOptions{Topics: []string{"a"}})
	l.connected(t)
	job := newClient(t, n.URL, client.Options{Credential: func() (string, error) { return mint(time.Minute) }})
	sent := 0
	for ; tokens.Load() < 3; sent++ {
		if _, err := job.Publish(t.Context(), text("a", fmt.Sprint(sent))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.wantNumbers(t, 0, sent)
	if _, err := l.stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	nobody := newClient(t, n.URL, client.Options{})
	_, err := nobody.Publish(t.Context(), text("a", "x"))
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusUnauthorized || !e.Refused() {
		t.Errorf("without a token: %v", err)
	}
	lost := errors.New("lost")
	forgetful := newClient(t, n.URL, client.Options{Credential: func() (string, error) { return "", lost }})
	if _, err := forgetful.Publish(t.Context(), text("a", "x")); !errors.Is(err, lost) {
		t.Errorf("who has lost it: %v", err)
	}
}

// TestCredentialStaysHere: who leads a listener to another host does not get its
// credential there.
func TestCredentialStaysHere(t *testing.T) {
	t.Parallel()
	asked := make(chan http.Header, 1)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.Header:
		default:
		}
	}))
	t.Cleanup(thief.Close)
	elsewhere := "http://localhost" + thief.URL[len("http://127.0.0.1"):]
	n := httptest.NewServer(http.RedirectHandler(elsewhere, http.StatusTemporaryRedirect))
	t.Cleanup(n.Close)
	c := newClient(t, n.URL, client.Options{Credential: func() (string, error) { return "secret", nil }})
	l := listen(t, c, client.ListenOptions{Topics: []string{"a"}})
	if h := <-asked; h.Get("Authorization") != "" {
		t.Error("it got the credential")
	}
	_, _ = l.stop()
}
