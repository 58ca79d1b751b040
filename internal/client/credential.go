package client

import (
	"errors"
	"fmt"
	"net/http"
)

// maxRenewals is how many credentials in a row a hub may refuse: whoever has a
// new one each time has something else wrong.
const maxRenewals = 3

// bearer is what a call that makes many requests says of who makes them.
type bearer struct {
	ask     func() (string, error) // nil: nothing
	sent    string                 // with the newest request
	renewed int                    // refusals in a row that were passed over
}

// authorize says who makes the request.
func (b *bearer) authorize(r *http.Request) error {
	if b.ask == nil {
		return nil
	}
	credential, err := b.ask()
	if err != nil {
		return err
	}
	if b.sent = credential; credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	return nil
}

// accepted notes that the hub took the credential.
func (b *bearer) accepted() { b.renewed = 0 }

// renew reports whether what the hub refused was the credential, and there is
// another one now: then the next request may do better. The error says which of
// these it is.
func (b *bearer) renew(refusal error) (again bool, err error) {
	e, ok := errors.AsType[*Error](refusal)
	if !ok || e.Status != http.StatusUnauthorized || b.ask == nil || b.renewed == maxRenewals {
		return false, refusal
	}
	credential, err := b.ask()
	switch {
	case err != nil:
		return false, fmt.Errorf("%w; and there is no other: %w", refusal, err)
	case credential == b.sent:
		return false, refusal
	}
	b.renewed++
	return true, fmt.Errorf("%w; there is another one now", refusal)
}
