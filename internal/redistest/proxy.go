package redistest

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"testing"
	"time"
)

// Direction is one of the two ways through a proxy, or both.
type Direction int

const (
	Up   Direction = 1 << iota // from client to server
	Down                       // from server to client
	Both = Up | Down
)

// Proxy is a TCP proxy to a server, with faults. It speaks no protocol: it
// passes on bytes, and the end of a connection, each way on its own. Its
// methods may be called by any goroutine.
type Proxy struct {
	Addr string // host:port to connect to

	t        testing.TB
	listener net.Listener
	running  sync.WaitGroup // the accepting loop and the links

	mu      sync.Mutex
	target  string
	refuse  bool
	stalled Direction
	resumed chan struct{} // closed by the Resume that ends the stall
	delay   map[Direction]time.Duration
	held    map[string]bool // hosts
	freed   chan struct{}   // closed when other hosts are held
	life    func() int
	links   map[*link]struct{}
}

// StartProxy starts a proxy to a host:port that ends with the test. While
// nobody listens there, connections to the proxy fail, as they do with Refuse.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: listener.Addr().String(), t: t, listener: listener, target: target,
		delay: map[Direction]time.Duration{}, freed: make(chan struct{}), links: map[*link]struct{}{}}
	p.running.Go(p.accept)
	t.Cleanup(p.end)
	return p
}

// Cut breaks all connections at once, on both sides, and returns how many
// there were. Bytes on their way are lost.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.links)
	for l := range p.links {
		l.drop(reset)
	}
	return n
}

// Stall swallows all bytes of a direction from now on, and those that a Delay
// holds back: their receiver sees nothing, neither bytes nor the connection's
// end, and their sender sees no error. New connections are taken and as silent.
// Stalls add up until Resume.
func (p *Proxy) Stall(d Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled == 0 {
		p.resumed = make(chan struct{})
	}
	p.stalled |= d
}

// Resume ends all stalls. A connection that lost bytes in one stays silent in
// both directions until one of its ends, or Cut, closes it: a torn stream
// never goes on. The others work again.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled == 0 {
		return
	}
	p.stalled = 0
	close(p.resumed)
	for l := range p.links {
		l.dead = l.dead || l.torn
	}
}

// Hold keeps back all bytes of connections from these hosts, in both
// directions, as a network does that has come apart: nothing is lost, and what
// was held goes on when the next Hold does not name the host. Hold without hosts
// ends it for all.
func (p *Proxy) Hold(hosts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.freed)
	p.freed, p.held = make(chan struct{}), map[string]bool{}
	for _, host := range hosts {
		p.held[host] = true
	}
}

// Deafen makes one connection silent for good, as if a stall had torn it: the
// one that the server sees come from that host:port (CLIENT LIST). It reports
// whether there is one.
func (p *Proxy) Deafen(addr string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if l.server != nil && l.server.LocalAddr().String() == addr {
			l.dead = true
			return true
		}
	}
	return false
}

// Delay passes on each chunk of a direction that comes from now on that much
// later, all in order. Zero ends it.
func (p *Proxy) Delay(d Direction, by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range [...]Direction{Up, Down} {
		if d&one != 0 {
			p.delay[one] = by
		}
	}
}

// CutAfter has each connection that is made from now on end, in order, when so
// many bytes have come down by it: in the middle of a line or of a number,
// wherever that is. The function is called for each connection, one call at a
// time; nil lets those that are made from now on live as long as they like.
func (p *Proxy) CutAfter(bytes func() int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life = bytes
}

// Refuse says whether new connections are reset at once, without the server
// seeing them: a client sees that when it connects or when it first reads.
// Those that are open go on.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// Target leads new connections to another host:port, as a failover behind one
// address does. Those that are open stay where they are.
func (p *Proxy) Target(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = addr
}

// Conns returns how many connections have not come to their end, which a stall
// holds back too.
func (p *Proxy) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			p.t.Errorf("proxy: %v", err)
			return
		}
		p.open(conn.(*net.TCPConn))
	}
}

// open makes a connection one of the proxy's, unless it refuses.
func (p *Proxy) open(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		reset(client)
		return
	}
	host, _, _ := net.SplitHostPort(client.RemoteAddr().String()) // a TCP address has one
	l := &link{proxy: p, client: client, host: host, life: math.MaxInt}
	if p.life != nil {
		l.life = p.life()
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	p.links[l] = struct{}{}
	target := p.target
	p.running.Go(func() { l.serve(target) })
}

func (p *Proxy) end() {
	_ = p.listener.Close()
	p.Refuse(true)
	p.Cut()
	p.running.Wait()
}
