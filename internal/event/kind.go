package event

import (
	"slices"
	"time"
)

// Kind says what is kept of a topic.
type Kind uint8

const (
	KindLog       Kind = iota // every event, within the topic's limits
	KindLatest                // the newest event of each key: a table
	KindEphemeral             // nothing: who listens now gets it
)

var kindNames = [...]string{KindLog: "log", KindLatest: "latest", KindEphemeral: "ephemeral"}

// String returns the kind's name in rules and in JSON.
func (k Kind) String() string { return kindNames[k] }

// ParseKind returns the kind with the name, or an InvalidError.
func ParseKind(s string) (Kind, error) {
	if i := slices.Index(kindNames[:], s); i >= 0 {
		return Kind(i), nil
	}
	return 0, invalid("kind", "is %.64q; use log, latest or ephemeral", s)
}

// Status says how a topic ended. The empty one says that it has not.
type Status string

// What a topic's end says. Publishers say the first three.
const (
	Completed    Status = "completed"
	Failed       Status = "failed"
	Cancelled    Status = "cancelled"
	ProducerLost Status = "producer_lost" // its lease ran out
)

// EndName is the name of the event that ends a topic.
const EndName = "hub.end"

// ParseStatus returns the status that a publisher says, or an InvalidError.
func ParseStatus(s string) (Status, error) {
	switch status := Status(s); status {
	case Completed, Failed, Cancelled:
		return status, nil
	}
	return "", invalid("end", `is %.64q; use true, "completed", "failed" or "cancelled"`, s)
}

// Bounds of a lease.
const (
	MinLease = time.Second
	MaxLease = 24 * time.Hour
)

// ParseLease reads how long a topic may be without a message before it ends,
// as in "30s"; an InvalidError says what is wrong with it.
func ParseLease(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, invalid("lease", `is %.64q; use a time like "30s" or "2m"`, s)
	}
	return d, checkLease(d)
}

func checkLease(d time.Duration) error {
	if d < MinLease || d > MaxLease {
		return invalid("lease", "is %v; use a time from %v to %v", d, MinLease, MaxLease)
	}
	return nil
}
