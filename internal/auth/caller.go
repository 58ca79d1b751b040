package auth

import (
	"fmt"
	"strings"
	"time"

	"tickertape/internal/event"
)

// Caller is who makes a request.
type Caller struct {
	// Name is for logs: "anonymous", "key news-job", "token alice".
	Name string
	// Subject is that of a token.
	Subject string
	// Expires is when the caller's rights end; zero: never.
	Expires time.Time
	Rights
	// Allowance is how fast it may publish; PerSecond 0: as fast as it likes. Who has no
	// credential is counted by something else, and has no Name there.
	Allowance event.Allowance

	anonymous bool
}

// CredentialError says why a credential is none, or that one is needed. It is
// final for the request.
type CredentialError struct {
	Cause   string
	Missing bool // there was none
}

func (e *CredentialError) Error() string { return e.Cause }

func refuse(format string, args ...any) error {
	return &CredentialError{Cause: fmt.Sprintf(format, args...)}
}

// verb is what stands before what an action is done to.
func (a Action) verb() string {
	if a == Manage {
		return string(a)
	}
	return string(a) + " to"
}

// RightError says that a caller may not do that.
type RightError struct {
	Action Action
	Wanted string // topic or selector
	Caller string
	Has    []string // with what the caller may
}

func (e *RightError) Error() string {
	if len(e.Has) == 0 {
		return fmt.Sprintf("%s may not %s anything", e.Caller, e.Action)
	}
	return fmt.Sprintf("%s may not %s %q, only %s", e.Caller, e.Action.verb(), e.Wanted, strings.Join(e.Has, ", "))
}

// Check says why the caller may not do that with the topic; nil: it may.
func (c *Caller) Check(a Action, t event.Topic) error {
	if c.Allow(a, t) {
		return nil
	}
	return c.refuse(a, string(t))
}

// CheckAll says why the caller may not do that with all topics that the selector
// matches; nil: it may.
func (c *Caller) CheckAll(a Action, s event.Selector) error {
	if c.AllowAll(a, s) {
		return nil
	}
	return c.refuse(a, s.String())
}

// toldRights is how many of its rights a caller is told of.
const toldRights = 10

func (c *Caller) refuse(a Action, wanted string) error {
	if c.anonymous {
		if wanted == "" {
			return &CredentialError{Missing: true, Cause: fmt.Sprintf("to %s takes a token or an API key", a)}
		}
		return &CredentialError{Missing: true, Cause: fmt.Sprintf("to %s %q takes a token or an API key", a.verb(), wanted)}
	}
	e := &RightError{Action: a, Wanted: wanted, Caller: c.Name}
	for i, s := range c.Rights[a] {
		if i == toldRights {
			e.Has = append(e.Has, "…")
			break
		}
		e.Has = append(e.Has, s.String())
	}
	return e
}

// CheckAny says why the caller may do that with no topic at all; nil: there are
// some.
func (c *Caller) CheckAny(a Action) error {
	if len(c.Rights[a]) > 0 {
		return nil
	}
	return c.refuse(a, "")
}

// Named reports whether the caller has a credential.
func (c *Caller) Named() bool { return !c.anonymous }

// Live says why the caller's rights have ended; nil: they have not.
func (c *Caller) Live(now time.Time) error {
	if !c.Expires.IsZero() && !now.Before(c.Expires) {
		return refuse("the token expired at %s", c.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}
