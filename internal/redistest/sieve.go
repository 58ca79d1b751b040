package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Sieve is a way to a server on which messages of channels get lost, while the
// connection and all else on it lives. Redis itself does not do that to its
// subscribers; what stands between, or stands in for it, may. It speaks RESP2.
// Its methods may be called by any goroutine.
type Sieve struct {
	Addr string // host:port to connect to

	t        testing.TB
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	ended bool
	conns map[net.Conn]struct{}
	drop  int // messages still to be lost
	lost  int
}

// StartSieve starts a sieve to a host:port that ends with the test.
func StartSieve(t testing.TB, target string) *Sieve {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Sieve{Addr: listener.Addr().String(), t: t, target: target, listener: listener, conns: map[net.Conn]struct{}{}}
	s.running.Go(s.accept)
	t.Cleanup(s.end)
	return s
}

// Lose has the next messages get lost, so many of all connections together,
// instead of those that an earlier call asked for and that are yet to come.
func (s *Sieve) Lose(messages int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop = messages
}

// Lost returns how many got lost.
func (s *Sieve) Lost() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

func (s *Sieve) accept() {
	for {
		client, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.t.Errorf("sieve: %v", err)
			return
		}
		s.running.Go(func() { s.serve(client) })
	}
}

// serve passes on both ways until either end closes.
func (s *Sieve) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", s.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !s.keep(client, server) {
		return
	}
	defer s.forget(client, server)
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client) // either end may close at any time
		_ = server.Close()
	})
	_ = s.pass(client, bufio.NewReader(server))
	_ = client.Close()
	up.Wait()
}

// pass passes on what the server says, value by value.
func (s *Sieve) pass(to io.Writer, from *bufio.Reader) error {
	for {
		value, err := readValue(nil, from)
		if err != nil {
			return err
		}
		if s.falls(value) {
			continue
		}
		if _, err := to.Write(value); err != nil {
			return err
		}
	}
}

// falls reports whether the value is a channel's message that gets lost.
func (s *Sieve) falls(value []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drop == 0 || !strings.HasPrefix(string(value[:min(len(value), 32)]), "*3\r\n$7\r\nmessage\r\n") {
		return false
	}
	s.drop--
	s.lost++
	return true
}

// readValue appends one value of RESP2 as it stands on the wire.
func readValue(dst []byte, from *bufio.Reader) ([]byte, error) {
	line, err := from.ReadBytes('\n')
	if err != nil {
		return dst, err
	}
	dst = append(dst, line...)
	kind := line[0]
	if kind != '*' && kind != '$' {
		return dst, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(line[1:])))
	if err != nil {
		return dst, fmt.Errorf("a length: %w", err)
	}
	if kind == '$' && n >= 0 {
		text := make([]byte, n+len("\r\n"))
		_, err := io.ReadFull(from, text)
		return append(dst, text...), err
	}
	for ; kind == '*' && n > 0; n-- {
		if dst, err = readValue(dst, from); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (s *Sieve) keep(conns ...net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		s.conns[c] = struct{}{}
	}
	return !s.ended
}

func (s *Sieve) forget(conns ...net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		delete(s.conns, c)
	}
}

func (s *Sieve) end() {
	_ = s.listener.Close()
	s.mu.Lock()
	s.ended = true
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}
