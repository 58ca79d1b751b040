package membus

import (
	"crypto/sha256"
	"time"

	"tickertape/internal/event"
)

// keyring remembers idempotency keys for a while.
type keyring struct {
	known map[scopedKey]remembered
	queue []scopedKey // the keys of known, the one that expires first in front
}

type scopedKey struct {
	topic event.Topic
	key   string
}

type remembered struct {
	digest  [sha256.Size]byte
	cursor  event.Cursor
	expires time.Time
}

// claim is a message's key and digest; empty for a message without a key.
type claim struct {
	key    scopedKey
	digest [sha256.Size]byte
	again  bool // the same message was taken before, or stands earlier in the call
}

// keyCost is about what a remembered key takes.
func keyCost(key string) int {
	if key == "" {
		return 0
	}
	return 300 + len(key)
}

// check returns each fresh message's claim, or an ItemError for the first one
// whose key was used for another one, before or earlier in the same call.
func (k *keyring) check(messages []event.Message, fresh []bool) ([]claim, error) {
	claims := make([]claim, len(messages))
	var here map[scopedKey][sha256.Size]byte
	for i, m := range messages {
		if m.IdempotencyKey == "" || !fresh[i] {
			continue
		}
		c := claim{key: scopedKey{m.Topic, m.IdempotencyKey}, digest: m.Digest()}
		digest, used := here[c.key]
		if first, ok := k.known[c.key]; ok {
			digest, used = first.digest, true
		}
		if used && digest != c.digest {
			return nil, &event.ItemError{Index: i, Err: event.ErrKeyReused}
		}
		if here == nil {
			here = map[scopedKey][sha256.Size]byte{}
		}
		here[c.key] = c.digest
		c.again = used
		claims[i] = c
	}
	return claims, nil
}

// remember keeps a claim until it expires and returns the bytes it takes.
// Calls come in the order in which the claims expire.
func (k *keyring) remember(c claim, cursor event.Cursor, expires time.Time) int {
	k.known[c.key] = remembered{c.digest, cursor, expires}
	k.queue = append(k.queue, c.key)
	return keyCost(c.key.key)
}

// expire forgets the keys whose time is over and returns the bytes let go.
func (k *keyring) expire(now time.Time) (freed int) {
	done := 0
	for _, key := range k.queue {
		if k.known[key].expires.After(now) {
			break
		}
		delete(k.known, key)
		freed += keyCost(key.key)
		done++
	}
	if k.queue = k.queue[done:]; len(k.queue) == 0 {
		k.queue = nil
	}
	return freed
}
