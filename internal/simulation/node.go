package simulation

import (
	"context"
	"sync/atomic"
	"time"

	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
)

// node is a place where a hub runs, one life after the other. It belongs to
// the agenda.
type node struct {
	world  *world
	number int
	link   *link
	life   *life // nil: it is down
	lives  int
}

// life is a hub and its bus from start to end.
type life struct {
	node  *node
	bus   *ear
	hub   *hub.Hub
	knows map[*fact]struct{} // what it certainly has heard of
	stop  func()
}

// nonces is how many an epoch's may be drawn from.
const nonces = 1 << 32

// keysLast is how long stores remember idempotency keys, by their own clocks,
// which may leap.
const keysLast = 5 * time.Minute

// start begins a new life.
func (n *node) start() {
	w := n.world
	n.lives++
	dice := w.dice(200 + 100*uint64(n.number) + uint64(n.lives))
	var drawn atomic.Uint64
	bus, err := redisbus.Open(redisbus.Options{URL: "redis://store:1/0", Retention: w.limits, Beat: w.beat, RememberKeys: keysLast, Dial: n.link.Dial, Log: w.log,
		Random: func(n int64) int64 {
			if n < nonces {
				return int64(dice.below(int(n), 0))
			}
			return int64(dice.below(int(n), drawn.Add(1))) // two of one moment differ
		}})
	if err != nil {
		w.fault("node %d: %v", n.number, err)
		return
	}
	l := &life{node: n, bus: &ear{Bus: bus, dice: dice}, knows: map[*fact]struct{}{}}
	l.hub = hub.New(l.bus, w.small)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.hub.Run(ctx) }()
	l.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			w.agenda.in(0, n.link.name, func() { w.fault("the hub of node %d ended: %v", n.number, err) })
		}
		bus.Close()
	}
	n.life = l
	w.note("node %d starts", n.number)
}

// crash ends the node's life. Its connections break, and what it still had to
// say on them arrives, if it does, without it.
func (n *node) crash() {
	l := n.life
	if l == nil {
		return
	}
	n.life = nil
	n.world.note("node %d ends", n.number)
	for _, c := range n.world.clients {
		if c.at == l {
			c.hangUp()
		}
	}
	// Nothing of it may wait for an answer while it ends: what holds a lock
	// of go-redis then keeps the time from going on.
	n.link.abandon()
	n.world.ending.Go(l.stop)
}

// knew takes in that the life has heard of an event.
func (l *life) knew(f *fact) { l.knows[f] = struct{}{} }
