package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"tickertape/internal/event"
)

// apiKeyPrefix is how every API key begins, so that it is known for one: by the
// hub, and by those who look for secrets that got out.
const apiKeyPrefix = "tt_"

// Hash is the SHA-256 of an API key, all that the hub keeps of it. A key is 256
// random bits: there is nothing to guess, and so nothing that a slow hash would
// make harder.
type Hash [sha256.Size]byte

// ParseHash reads 64 hexadecimal digits.
func ParseHash(text string) (h Hash, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%.80q is not the SHA-256 of an API key: 64 hexadecimal digits", text)
	}
	return Hash(b), nil
}

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// NewAPIKey returns a new key, and what the hub keeps of it.
func NewAPIKey() (string, Hash) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	key := apiKeyPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	return key, sha256.Sum256([]byte(key))
}

// APIKey is one that the hub knows.
type APIKey struct {
	Name string // for logs
	Hash Hash
	Rights
	PublishRate float64 // messages a second; 0: as many as it likes
}

// apiKeys are all that the hub knows.
type apiKeys []APIKey

// find returns who has the key. It takes as long for every key.
func (k apiKeys) find(key string) (*Caller, error) {
	hash, found := sha256.Sum256([]byte(key)), -1
	for i := range k {
		if subtle.ConstantTimeCompare(k[i].Hash[:], hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return nil, refuse("there is no such API key")
	}
	name := "key " + k[found].Name
	return &Caller{Name: name, Rights: k[found].Rights, Allowance: event.Allowance{Name: name, PerSecond: k[found].PublishRate}}, nil
}

func isAPIKey(credential string) bool { return strings.HasPrefix(credential, apiKeyPrefix) }
