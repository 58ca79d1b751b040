package vue_test

import (
	"testing"

	"go.uber.org/goleak"
)

// dialing is go-redis' own search for a server that is away: it notices that
// its client was closed within a second.
const dialing = "github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(dialing)) }
