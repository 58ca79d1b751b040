package redisbus

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// primary is where the primary is, as far as this node knows, and the way
// there. Each connection that is made looks for it first, and so does a
// goroutine from time to time, for the sake of those that stand: a primary that
// was voted out while it was cut off may still answer this node, and even take
// what it writes.
type primary struct {
	dialer
	search *search // nil: it is where the URL says
	log    *slog.Logger
	ctx    context.Context // over when the bus closes
	cancel context.CancelFunc
	active sync.WaitGroup // lookups

	mu     sync.Mutex
	known  view
	move   uint64  // number of the move that led to where it is known to be; 0: that is not known
	lookup *lookup // under way
}

// view is where somebody takes the primary to be.
type view struct {
	addr string
	// epoch is that of the configuration that says so. It rises with each that
	// Sentinels or the nodes of a Cluster agree on, and is none of the store's.
	epoch int64
}

// lookup is one search.
type lookup struct {
	done chan struct{}
	err  error // why nobody said anything; to be read when done is closed
}

// place is where the connections of one client lead: the number of the move
// that the first of them followed, or 0 if none was made.
type place struct{ move atomic.Uint64 }

// newPrimary returns the primary of the key.
func newPrimary(t target, key string, dial dialFunc, log *slog.Logger) *primary {
	p := &primary{dialer: newDialer(dial, t.options.TLSConfig), log: log}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	switch t.kind {
	case sentinels:
		p.search = askSentinels(t, p.connect)
	case cluster:
		p.search = askCluster(t, key, p.connect)
	default:
		p.known, p.move = view{addr: t.options.Addr}, 1
	}
	return p
}

// close ends all lookups and waits for them.
func (p *primary) close() {
	p.mu.Lock()
	p.cancel() // no lookup begins from here on
	p.mu.Unlock()
	p.active.Wait()
	if p.search != nil {
		p.search.close()
	}
}

// dialTo returns a Dialer for a client of go-redis: its connections lead to
// where the primary is when they are made.
func (p *primary) dialTo(at *place) dialFunc {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		addr, move, unsaid := p.find(ctx)
		if addr == "" {
			return nil, unsaid
		}
		at.move.CompareAndSwap(0, move)
		conn, err := p.connect(ctx, network, addr)
		if err != nil && unsaid != nil {
			return nil, unsaid // the worse of both faults
		}
		return conn, err
	}
}

// left reports whether the primary is known to have left the place.
func (p *primary) left(at *place) bool {
	move := at.move.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	return move != 0 && move != p.move
}

// watch looks for the primary time and again until ctx ends.
func (p *primary) watch(ctx context.Context, every time.Duration) {
	if p.search == nil {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _, _ = p.find(ctx) // who needs the primary is told why nobody knows it
		}
	}
}

// find returns where the primary is, and the number of the move that led
// there. While nobody says it, that is where it was last, and the error tells
// why.
func (p *primary) find(ctx context.Context) (addr string, move uint64, unsaid error) {
	if p.search != nil {
		l := p.look()
		select {
		case <-l.done:
			unsaid = l.err
		case <-ctx.Done():
			unsaid = ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known.addr, p.move, unsaid
}

// look begins a lookup, unless one is under way. One after the other they
// never go back in time: answers that were collected before others do not come
// to count after them.
func (p *primary) look() *lookup {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return closedLookup()
	}
	if p.lookup == nil {
		l := &lookup{done: make(chan struct{})}
		p.lookup = l
		p.active.Go(func() {
			defer close(l.done)
			l.err = p.learn()
		})
	}
	return p.lookup
}

// closedLookup is one that is not made any more.
func closedLookup() *lookup {
	l := &lookup{done: make(chan struct{}), err: errClosed}
	close(l.done)
	return l
}

// learn makes a lookup and takes in what comes of it.
func (p *primary) learn() error {
	list, asked, err := p.search.views(p.ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lookup = nil
	next, ok := decide(list, asked, p.known)
	if !ok {
		return err
	}
	if next.addr != p.known.addr {
		if p.move++; p.move > 1 {
			p.log.Warn("another server is the primary of Redis now", slog.String("addr", next.addr), slog.String("before", p.known.addr))
		}
	}
	p.known = next
	return nil
}

// decide returns the view to go by: the one with the latest epoch, so that who
// was cut off with an old primary does not lead back to it. One before what was
// known already counts only if more than half of those asked have none later:
// they were set up anew. Of several with the same epoch most voices count, and
// then what was known.
func decide(list []view, asked int, known view) (next view, ok bool) {
	if len(list) == 0 {
		return view{}, false
	}
	voices := map[view]int{}
	for _, v := range list {
		voices[v]++
		switch {
		case v.epoch > next.epoch || !ok:
			next, ok = v, true
		case v.epoch < next.epoch:
		case voices[v] > voices[next], voices[v] == voices[next] && v == known:
			next = v
		}
	}
	if next.epoch < known.epoch && 2*len(list) <= asked {
		return known, true
	}
	return next, true
}
