package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests, or, as a process that a test started, the hub.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_AS_HUB") {
	case "":
		goleak.VerifyTestMain(m)
	case "shared":
		os.Exit(start(openShared))
	default:
		main()
	}
}

// openShared opens the bus in memory as one that other nodes have too.
func openShared(s settings) (ownedBus, error) {
	bus, err := openBus(s)
	bus.shared = true
	return bus, err
}
