package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/nodetest"
)

// keyring is a credential that can be exchanged, like a file of one.
type keyring struct {
	current atomic.Pointer[string]
	asked   atomic.Int64
}

func (k *keyring) put(credential string) { k.current.Store(&credential) }

func (k *keyring) get() (string, error) {
	k.asked.Add(1)
	return *k.current.Load(), nil
}

// newKeyring returns one with a token that soon expires.
func newKeyring(t *testing.T, mint func(time.Duration) (string, error)) *keyring {
	t.Helper()
	k := &keyring{}
	k.put(minted(t, mint, 3*time.Second))
	return k
}

func minted(t *testing.T, mint func(time.Duration) (string, error), lifetime time.Duration) string {
	t.Helper()
	token, err := mint(lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// refused waits until the hub does not take the credential any more.
func (k *keyring) refused(t *testing.T, n *nodetest.Node) {
	t.Helper()
	old := *k.current.Load()
	c := newClient(t, n.URL, client.Options{Credential: func() (string, error) { return old, nil }})
	for late := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		_, err := c.Publish(t.Context(), text("b", "x")) // no right to it: 403 until then
		if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusUnauthorized {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("the token does not expire: %v", err)
		}
	}
}

// piping is a call of Pipe in the background, of one long request.
type piping struct {
	messages chan event.Message
	passed   chan error // that it told, and went on
	done     chan struct{}
	tally    client.Tally
	err      error
}

func startPipe(t *testing.T, c *client.Client) *piping {
	p := &piping{messages: make(chan event.Message, 10), passed: make(chan error, 100), done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	go func() {
		defer close(p.done)
		defer cancel()
		p.tally, p.err = c.Pipe(ctx, p.messages, client.PipeOptions{MaxTime: time.Hour,
			Progress: func(_ client.Tally, err error, _ time.Duration) {
				if err != nil {
					p.passed <- err
				}
			}})
	}()
	t.Cleanup(func() { cancel(); <-p.done })
	return p
}

// A pipe whose token expires in the middle of a request goes on with the next
// one, and doubles and loses nothing.
func TestPipeRenews(t *testing.T) {
	t.Parallel()
	n, mint := guarded(t)
	k := newKeyring(t, mint)
	p := startPipe(t, newClient(t, n.URL, client.Options{Credential: k.get}))
	p.messages <- text("a", "0")
	p.messages <- text("a", "1")
	k.refused(t, n) // and the request is still open
	k.put(minted(t, mint, time.Minute))
	p.messages <- text("a", "2")
	if err := next(t, p.passed); !isExpired(err) {
		t.Errorf("it passed over %v", err)
	}
	p.messages <- text("a", "3")
	close(p.messages)
	if <-p.done; p.err != nil || p.tally.Accepted != 4 || k.asked.Load() != 3 {
		t.Errorf("%+v, %v; asked %d times", p.tally, p.err, k.asked.Load())
	}
	wantStored(t, n, "a", 4)
}

// A pipe that finds the same token again ends with the reason.
func TestPipeExpires(t *testing.T) {
	t.Parallel()
	n, mint := guarded(t)
	k := newKeyring(t, mint)
	p := startPipe(t, newClient(t, n.URL, client.Options{Credential: k.get}))
	p.messages <- text("a", "0")
	k.refused(t, n)
	p.messages <- text("a", "1")
	<-p.done
	if e, ok := errors.AsType[*client.PipeError](p.err); !ok || e.Number != 1 || !isExpired(p.err) || p.tally.Accepted != 1 {
		t.Errorf("%+v, %v", p.tally, p.err)
	}
	wantStored(t, n, "a", 1)
}

// isExpired reports whether the error is the hub's word that a token has expired.
func isExpired(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Status == http.StatusUnauthorized && strings.HasPrefix(e.Detail, "the token expired at")
}

// A listener that finds the credential exchanged just when it was refused tries
// once more; where it is still the same, it ends with the reason, and its cursor.
func TestListenRenews(t *testing.T) {
	t.Parallel()
	n, mint := guarded(t)
	k := newKeyring(t, mint)
	c := newClient(t, n.URL, client.Options{Credential: k.get})
	publisher := newClient(t, n.URL, client.Options{Credential: func() (string, error) { return mint(time.Minute) }})
	l := listen(t, c, client.ListenOptions{Topics: []string{"a"}})
	l.connected(t)
	publish(t, publisher, text("a", "0"))
	l.wantNumbers(t, 0, 1)
	var why error
	for why == nil {
		why = next(t, l.states).Err
	}
	if why.Error() != "the credential has expired" {
		t.Errorf("the stream ended with %v", why)
	}
	publish(t, publisher, text("a", "1"))
	<-l.done
	cursor, err := l.stop()
	if !isExpired(err) || cursor == "" {
		t.Fatalf("with the same token: %v, cursor %q", err, cursor)
	}

	// The first look finds the old one, the next one another.
	fresh, looks := minted(t, mint, time.Minute), 0
	late := newClient(t, n.URL, client.Options{Credential: func() (string, error) {
		if looks++; looks == 1 {
			return k.get()
		}
		return fresh, nil
	}})
	again := listen(t, late, client.ListenOptions{Topics: []string{"a"}, Cursor: cursor})
	again.wantNumbers(t, 1, 1)
	_, _ = again.stop()
}

// Who has a new credential each time, of which none is good, is not let try for
// ever; who cannot look any more is told that, too.
func TestRenewalsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		no := status(http.StatusUnauthorized)
		hub := &script{answers: []answer{no, no, no, pieces(0, open1), no, no, no, no, no}}
		looks := 0
		c := newClient(t, "http://hub.test", client.Options{Transport: hub, Credential: func() (string, error) {
			looks++
			return fmt.Sprint("nonsense", looks), nil
		}})
		_, err := c.Listen(t.Context(), client.ListenOptions{Topics: []string{"a"}}, client.Handler{})
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusUnauthorized || len(hub.times) != 8 {
			t.Errorf("after %d requests: %v", len(hub.times), err)
		}
	})
	n, _ := guarded(t)
	looks := 0
	c := newClient(t, n.URL, client.Options{Credential: func() (string, error) {
		looks++
		return fmt.Sprint("nonsense", looks), nil
	}})
	if _, err := c.Pipe(t.Context(), numbers(t.Context(), "a", 1), client.PipeOptions{}); looks != 7 || err == nil {
		t.Errorf("after %d looks: %v", looks, err)
	}
	lost := errors.New("lost")
	looks = 0
	forgetful := newClient(t, n.URL, client.Options{Credential: func() (string, error) {
		if looks++; looks == 1 {
			return "nonsense", nil
		}
		return "", lost
	}})
	_, err := forgetful.Pipe(t.Context(), numbers(t.Context(), "a", 1), client.PipeOptions{})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusUnauthorized || !errors.Is(err, lost) {
		t.Errorf("who has lost it: %v", err)
	}
}
