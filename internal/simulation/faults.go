package simulation

import "time"

// plan draws what happens in the time of the traffic, and when.
func (w *world) plan() {
	kinds := []func(){w.cutSome, w.cutSubscriptions, w.lose, w.stall, w.slow, w.cutOff, w.crashNode, w.dropClients,
		w.freeze, w.restart, w.restart, w.split, w.split, w.flush, w.flushScripts, w.refuseWrites, w.setClock}
	for range w.rng.IntN(6) {
		at := time.Duration(w.rng.Int64N(int64(time.Until(w.traffic))))
		w.agenda.in(at, itself, kinds[w.rng.IntN(len(kinds))])
	}
}

// during draws how long something lasts.
func (w *world) during() time.Duration {
	longest := []time.Duration{300 * time.Millisecond, 3 * time.Second, 8 * time.Second}[w.rng.IntN(3)]
	return time.Duration(w.rng.Int64N(int64(longest)))
}

// later does something after a while, unless all is whole by then.
func (w *world) later(d time.Duration, do func()) {
	w.agenda.in(d, itself, func() {
		if !w.healed {
			do()
		}
	})
}

func (w *world) anyNode() *node { return w.nodes[w.rng.IntN(len(w.nodes))] }

// someNodes draws some of the nodes, maybe none, maybe all.
func (w *world) someNodes() (some []*node) {
	for _, n := range w.nodes {
		if w.rng.IntN(2) == 0 {
			some = append(some, n)
		}
	}
	return some
}

// What is drawn for a connection.
const (
	whether = iota
	how
)

// cutSome breaks some connections of a node.
func (w *world) cutSome() {
	n, share := w.anyNode(), 1+w.rng.IntN(3)
	w.note("cut 1 of %d connections of node %d", share, n.number)
	n.link.each(func(c *connection) {
		if n.link.dice.below(share, whether) == 0 {
			c.cut(n.link.dice.below(2, how) == 0)
		}
	})
}

// lose has what some connections of a node carry from now on never arrive, in
// one direction or both. They look alive.
func (w *world) lose() {
	n, which, share := w.anyNode(), 1+w.rng.IntN(3), 1+w.rng.IntN(3)
	w.note("lose %d of 1 of %d connections of node %d", which, share, n.number)
	n.link.each(func(c *connection) {
		if n.link.dice.below(share, whether) == 0 {
			n.link.lose(c, which&1 > 0, which&2 > 0)
		}
	})
}

// stall holds back what a node sends, or what is sent to it, or both.
func (w *world) stall() {
	n, which := w.anyNode(), 1+w.rng.IntN(3)
	w.note("stall %d of node %d", which, n.number)
	n.link.stalledUp, n.link.stalledDown = which&1 > 0, which&2 > 0
	w.later(w.during(), n.link.release)
}

// cutOff cuts a node off.
func (w *world) cutOff() {
	n := w.anyNode()
	w.note("cut off node %d", n.number)
	n.link.lead(nil)
	n.link.each(func(c *connection) { c.cut(true) })
	w.later(w.during(), func() { n.link.lead(w.primary) })
}

// crashNode ends a node, which comes back.
func (w *world) crashNode() {
	n := w.anyNode()
	n.crash()
	w.later(w.during(), func() {
		if n.life == nil {
			n.link.lead(w.primary)
			n.start()
		}
	})
}

// cutSubscriptions breaks those of a node, again and again.
func (w *world) cutSubscriptions() {
	n, times, pause := w.anyNode(), 1+w.rng.IntN(30), 1+w.during()/20
	w.note("cut the subscriptions of node %d %d times, every %v", n.number, times, pause)
	for i := range times {
		w.later(time.Duration(i)*pause, func() {
			n.link.each(func(c *connection) {
				if c.peer != nil && c.peer.Listens() {
					c.cut(true)
				}
			})
		})
	}
}

// slow has what a node sends and gets take long.
func (w *world) slow() {
	n, by := w.anyNode(), time.Duration(1+w.rng.Int64N(int64(1500*time.Millisecond)))
	w.note("slow down node %d by %v", n.number, by)
	n.link.slow(by)
	w.later(w.during(), func() { n.link.slow(usual) })
}

// dropClients breaks the connections of all clients, or of those of one node.
func (w *world) dropClients() {
	l := w.anyNode().life
	all := w.rng.IntN(2) == 0
	for _, c := range w.clients {
		if all || c.at == l {
			c.hangUp()
		}
	}
}
