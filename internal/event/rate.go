package event

import (
	"fmt"
	"time"
)

// What a rate may be, in messages a second.
const (
	MinRate = 0.001
	MaxRate = 1_000_000
)

// Allowance is how fast somebody may publish.
type Allowance struct {
	Name      string  // whose it is; in all nodes it is counted by that
	PerSecond float64 // messages in the long run, from MinRate to MaxRate
}

// Burst is how many messages may come at once: what comes in ten seconds, and one at
// least.
func (a Allowance) Burst() float64 { return max(1, 10*a.PerSecond) }

// RateError says that somebody has published as much as they may for now.
type RateError struct {
	Allowance
	Wait time.Duration // until they may publish so much
}

func (e *RateError) Error() string {
	return fmt.Sprintf("%s publishes more than it may: %g messages a second", e.Name, e.PerSecond)
}
