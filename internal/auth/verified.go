package auth

import (
	"crypto/sha256"

	"tickertape/internal/recent"
)

// maxVerified is how many tokens are remembered at least.
const maxVerified = 10_000

// verified are tokens whose signature was found good, by their hash: to verify one
// again costs more than to open a stream.
type verified = recent.Map[[sha256.Size]byte, *Caller]

func newVerified() *verified { return recent.NewMap[[sha256.Size]byte, *Caller](maxVerified) }
