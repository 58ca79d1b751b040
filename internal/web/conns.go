package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"tickertape/internal/limit"
)

// conns bounds how many connections one network has, whatever it does with them.
type conns struct {
	shares  *limit.Shares[limit.Network]
	trusted []netip.Prefix // have as many as they like
	mu      sync.Mutex
	open    map[net.Conn]limit.Network // those that are counted
}

func newConns(l Limits) *conns {
	return &conns{shares: limit.NewShares[limit.Network](l.Conns), trusted: l.TrustedProxies, open: map[net.Conn]limit.Network{}}
}

// ConnState is an http.Server's ConnState. It closes connections of which a network has
// more than it may, before anything is read. A connection that a loop writes a stream
// to is none of net/http's any more, and not counted: the stream is.
func (s *Server) ConnState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if !s.conns.enter(c) {
			s.limited.add(LimitConns)
			_ = c.Close()
		}
	case http.StateClosed, http.StateHijacked:
		s.conns.leave(c)
	}
}

func (s *conns) enter(c net.Conn) bool {
	from, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return true
	}
	address := from.AddrPort().Addr().Unmap()
	network := limit.NetworkOf(address, true)
	if !network.Counts() || slices.ContainsFunc(s.trusted, func(p netip.Prefix) bool { return p.Contains(address) }) {
		return true
	}
	if !s.shares.Enter(network) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = network
	return true
}

func (s *conns) leave(c net.Conn) {
	s.mu.Lock()
	network, counted := s.open[c]
	delete(s.open, c)
	s.mu.Unlock()
	if counted {
		s.shares.Leave(network)
	}
}
