package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests, or, as a process that a test started, the hub.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_HUB") == "" {
		goleak.VerifyTestMain(m)
	}
	main()
}
