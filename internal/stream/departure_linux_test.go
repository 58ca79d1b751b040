package stream_test

import (
	"testing"
	"time"

	"tickertape/internal/stream"
)

// TestExpiryOfSlowReaders: who reads so slowly that there is more when its rights
// end gets no more than what the kernel has of it by then.
func TestExpiryOfSlowReaders(t *testing.T) {
	t.Parallel()
	startLoop(t, stream.Options{Stall: time.Hour}, func(n *node) {
		begin := time.Now()
		c := n.get("/?seconds=100")
		defer c.conn.Close()
		c.block()
		n.stick()
		n.until("its rights have ended", func() bool { return time.Since(begin) > 101*n.second })
		lines := n.goodbye(c)
		read := 0
		for _, line := range lines {
			read += len(line)
		}
		if len(lines) < 4 || lines[len(lines)-3] != "event: hub.auth" || read > 1_000_000 {
			t.Errorf("it got %d bytes, in the end %.200q", read, lines[max(0, len(lines)-4):])
		}
	})
}
