package redisbus_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestReadsApart moves the address to another primary while the former one stays
// and keeps the connection that the node writes by, and no other. What the node
// has missed it reads before it hears anything there: that has to lead it over too.
func TestReadsApart(t *testing.T) {
	t.Parallel()
	old := redistest.Start(t, soon...)
	next := replicaOf(t, old)
	w := &ways{addr: old.Addr}
	n := startNode(t, redisbus.Options{URL: old.URL, Dial: w.dial})
	live := n.open(hub.Start{}, "a")
	tell(t, n.bus, "a", "1")
	live.expect("a 1")
	eventually(t, "the replica has it", func() bool { return next.Must("XLEN", "tt:{0}:log:a") == "1" })
	next.Must("REPLICAOF", "NO", "ONE")
	other := openBus(t, redisbus.Options{URL: next.URL})
	w.move(next.Addr)
	for _, text := range []string{"2", "3"} {
		tell(t, other, "a", text)
		live.expect("a " + text)
	}
	tell(t, n.bus, "a", "4")
	live.expect("a 4")
}

// ways are all connections of a node, whatever it takes its primary for.
type ways struct {
	mu   sync.Mutex
	addr string // where new ones lead
	made []*way
}

// way is one of them.
type way struct {
	net.Conn
	writes atomic.Bool // it is the one that the node writes by
}

// Write implements net.Conn.
func (w *way) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("tt:{0}:lane:")) { // which no other has among its keys
		w.writes.Store(true)
	}
	return w.Conn.Write(b)
}

func (w *ways) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(ctx, network, w.addr)
	if err != nil {
		return nil, err
	}
	made := &way{Conn: conn}
	w.made = append(w.made, made)
	return made, nil
}

// move leads new connections to another server, and breaks those that there are,
// but for the one that the node writes by.
func (w *ways) move(addr string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addr = addr
	for _, x := range w.made {
		if !x.writes.Load() {
			_ = x.Close()
		}
	}
}
