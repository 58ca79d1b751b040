package redisbus_test

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"tickertape/internal/redisbus"
)

// refusal is an error that Redis answers with.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) RedisError()     {}

// TestExplain has faults that no Redis can be made to have at will.
func TestExplain(t *testing.T) {
	t.Parallel()
	reset := os.NewSyscallError("read", syscall.ECONNRESET)
	here := &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 6379}
	for _, c := range []struct {
		err  error
		want string
	}{
		{refusal("MOVED 866 10.1.2.3:6379"), "another node of the Redis Cluster has the hub's slot; hubs look for it if --redis names the Cluster, as redis+cluster://host:6379 (Redis says: MOVED)"},
		{refusal("ERR no such thing script: 868a771d, on @user_script:218."), "an error of Redis: ERR no such thing"},
		{fmt.Errorf("a check: %w", reset), "the connection to Redis failed: connection reset by peer"},
		{&net.OpError{Op: "read", Net: "tcp", Addr: here, Err: reset}, "the connection to Redis failed: read: connection reset by peer"},
	} {
		if got := redisbus.Explain(c.err).Error(); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.err, got, c.want)
		}
	}
}
