package redisbus_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/fakeredis"
	"tickertape/internal/redisbus"
)

// fake is a Redis for buses in a bubble, whose time is its own.
type fake struct {
	mu     sync.Mutex
	server *fakeredis.Server
	writes int // of scripts, to buckets
	away   bool
}

func newFake() *fake {
	f := &fake{}
	f.server = fakeredis.New(fakeredis.Options{Run: strings.Repeat("a", 40), Now: time.Now, Lua: fakeredis.NewLua(), Watch: func(writes [][]string) {
		for _, w := range writes {
			if w[0] == "SET" && strings.HasPrefix(w[1], redisbus.DefaultPrefix+"rate:") {
				f.writes++
			}
		}
	}})
	return f
}

// dial connects to the server.
func (f *fake) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	said := make(chan []byte, 1000)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return nil, &net.OpError{Op: "dial", Net: "fake", Err: net.ErrClosed}
	}
	peer := f.server.Accept(func(b []byte) { said <- b })
	go func() {
		for b := range said {
			_, _ = far.Write(b)
		}
	}()
	go func() {
		defer close(said)
		defer far.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := far.Read(buffer)
			f.mu.Lock()
			if err != nil || f.away {
				peer.Close()
				f.mu.Unlock()
				return
			}
			peer.Receive(buffer[:n])
			f.mu.Unlock()
		}
	}()
	return near, nil
}

// goAway has the server break all connections, and take no more.
func (f *fake) goAway() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = true
}

// drawn returns how often a node has taken tokens out of a bucket.
func (f *fake) drawn() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// do runs a command.
func (f *fake) do(args ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server.Do(args...)
}

// bus opens a node's bus, whose owner closes it.
func (f *fake) bus(t interface{ Fatal(...any) }) *redisbus.Bus {
	bus, err := redisbus.Open(redisbus.Options{URL: "redis://fake", Dial: f.dial, Beat: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return bus
}

// open opens one that ends with the test.
func (f *fake) open(t *testing.T) *redisbus.Bus {
	t.Helper()
	bus := f.bus(t)
	t.Cleanup(bus.Close)
	return bus
}
