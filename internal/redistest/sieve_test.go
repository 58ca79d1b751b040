package redistest_test

import (
	"testing"

	"tickertape/internal/redistest"
)

// TestSieve loses two messages of a channel and nothing else.
func TestSieve(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	sieve := redistest.StartSieve(t, server.Addr)
	c := dial(t, sieve.Addr)
	c.send("SET a b")
	c.expect("+OK")
	c.send("GET nothing")
	c.expect("$-1")
	sieve.Lose(2)
	c.send("HSET h message 1")
	c.expect(":1")
	c.send("HGETALL h")
	c.expect("*2", "$7", "message", "$1", "1")
	c.send("SUBSCRIBE x")
	c.expect("*3", "$9", "subscribe", "$1", "x", ":1")
	for _, text := range []string{"1", "2", "3"} {
		server.Must("PUBLISH", "x", text)
	}
	c.expect("*3", "$7", "message", "$1", "x", "$1", "3")
	if sieve.Lost() != 2 {
		t.Errorf("lost %d messages", sieve.Lost())
	}
	c.expectSilence()
	server.Kill()
	c.expectEnd()
}
