package auth

import (
	"crypto/sha256"
	"sync"
)

// maxVerified is how many tokens a generation remembers.
const maxVerified = 10_000

// verified are tokens whose signature was found good: to verify one again costs
// more than to open a stream. There are two generations: what is used moves to
// the younger one, and when that is full, the older one is forgotten.
type verified struct {
	mu           sync.Mutex
	young, older map[[sha256.Size]byte]*Caller
}

func newVerified() *verified { return &verified{young: map[[sha256.Size]byte]*Caller{}} }

func (v *verified) get(token [sha256.Size]byte) (*Caller, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c, ok := v.young[token]; ok {
		return c, true
	}
	c, ok := v.older[token]
	if ok {
		v.add(token, c)
	}
	return c, ok
}

func (v *verified) put(token [sha256.Size]byte, c *Caller) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.add(token, c)
}

func (v *verified) add(token [sha256.Size]byte, c *Caller) {
	if len(v.young) == maxVerified {
		v.young, v.older = map[[sha256.Size]byte]*Caller{}, v.young
	}
	v.young[token] = c
}
