package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// lingering is where net/http waits for half a second before it closes a
// connection whose body it has not read: it ends by itself.
const lingering = "net/http.(*conn).closeWriteAndWait"

// TestMain runs the tests, or, as a process that a test started, the hub or a crowd
// of its clients.
func TestMain(m *testing.M) {
	if clients := os.Getenv(crowdVariable); clients != "" {
		beCrowd(clients)
	}
	if os.Getenv("TEST_AS_HUB") == "" {
		goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(lingering))
	}
	limitFiles()
	main()
}
