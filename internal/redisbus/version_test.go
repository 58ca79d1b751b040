package redisbus_test

import (
	"bytes"
	"testing"

	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestTooOldRedis meets a server that says it is of a version that lacks what
// the scripts need, and one of the oldest that has it.
func TestTooOldRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	called := func(version string) *redisbus.Bus {
		addr := rewritten(t, server.Addr, func(answer []byte) []byte {
			return bytes.Replace(answer, []byte("redis_version:7.0."), []byte("redis_version:"+version), 1)
		})
		return openBus(t, redisbus.Options{URL: "redis://" + addr})
	}
	if bus := called("6.2."); len(tell(t, bus, "a", "1")) != 1 || bus.Ready() != nil {
		t.Errorf("6.2 does not do: %v", bus.Ready())
	}
	says(t, <-run(t, called("6.0.")), "6.2.0 is the oldest that works")
}
