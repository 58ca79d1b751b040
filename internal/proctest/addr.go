package proctest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// ErrPortTaken says that another process has the port.
var ErrPortTaken = errors.New("the port is taken")

// FreeAddr returns an address of 127.0.0.1 that nobody listens on, or
// ErrPortTaken for bad luck. Its port lies below those that systems give to
// whoever asks for any: else another connection could take it while the
// server that it is meant for is down.
func FreeAddr() (string, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(20_000+rand.IntN(12_000)))
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPortTaken, err)
	}
	return addr, listener.Close()
}
