package referee_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// dialing is go-redis' own search for a server that is away: it notices that
// its client was closed within a second.
const dialing = "github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(dialing)) }

// full reports whether the scenarios run at their full length (make faults).
func full() bool { return os.Getenv("FAULTS") == "full" }

// either returns what counts in the short form or in the full one.
func either[T any](short, long T) T {
	if full() {
		return long
	}
	return short
}

// answerTime is a publish's deadline, and its way; beside other tests, also
// what a busy machine takes.
func answerTime() time.Duration { return either(8*time.Second, 5500*time.Millisecond) }

var topics = []event.Topic{"news", "quotes.AAPL", "chat.1"}

// promptly fails the test if a publish was not answered within its deadline.
func promptly(t *testing.T, c *referee.Cluster) {
	t.Helper()
	if slowest := c.Ledger.Slowest(); slowest > answerTime() {
		t.Errorf("a publish was answered after %v, more than %v", slowest, answerTime())
	}
}

// flows waits until so many more events have come to the listener.
func flows(c *referee.Cluster, x *referee.Listener, events int) {
	from := x.Events()
	c.Await("events come", func() bool { return x.Events() >= from+events })
}
