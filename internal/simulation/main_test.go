package simulation_test

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Runs leave much behind and hold little: collecting it less often
	// saves a third of their time.
	debug.SetGCPercent(1000)
	goleak.VerifyTestMain(m)
}
