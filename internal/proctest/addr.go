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
// ErrPortTaken after some that others have. Its port lies below those that
// systems give to whoever asks for any: else another connection could take it
// while the server that it is meant for is down.
func FreeAddr() (string, error) {
	var err error
	for range 20 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(20_000+rand.IntN(12_000)))
		var listener net.Listener
		if listener, err = net.Listen("tcp", addr); err == nil {
			return addr, listener.Close()
		}
	}
	return "", fmt.Errorf("%w: %w", ErrPortTaken, err)
}
