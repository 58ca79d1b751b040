package simulation

import "time"

// plan draws what happens in the time of the traffic, and when.
func (w *world) plan() {
	kinds := []func(){w.cutSome, w.lose, w.stall, w.cutOff, w.crashNode, w.freeze, w.restart, w.flushScripts}
	for range w.rng.IntN(6) {
		at := time.Duration(w.rng.Int64N(int64(time.Until(w.traffic))))
		w.agenda.in(at, kinds[w.rng.IntN(len(kinds))])
	}
}

// during draws how long something lasts.
func (w *world) during() time.Duration {
	longest := []time.Duration{300 * time.Millisecond, 3 * time.Second, 8 * time.Second}[w.rng.IntN(3)]
	return time.Duration(w.rng.Int64N(int64(longest)))
}

// later does something after a while, unless all is whole by then.
func (w *world) later(d time.Duration, do func()) {
	w.agenda.in(d, func() {
		if !w.healed {
			do()
		}
	})
}

func (w *world) anyNode() *node { return w.nodes[w.rng.IntN(len(w.nodes))] }

// heal makes whole what is not.
func (w *world) heal() {
	w.healed = true
	w.note("all is whole again")
	if w.primary.frozen {
		w.primary.thaw()
	}
	for _, n := range w.nodes {
		n.link.slow(usual)
		n.link.release()
		n.link.lead(w.primary)
		if n.life == nil {
			n.start()
		}
	}
}

// cutSome breaks some connections of a node.
func (w *world) cutSome() {
	n, share := w.anyNode(), 1+w.rng.IntN(3)
	w.note("cut 1 of %d connections of node %d", share, n.number)
	for _, c := range n.link.all() {
		if w.rng.IntN(share) == 0 {
			c.cut(w.rng.IntN(2) == 0)
		}
	}
}

// lose has what some connections of a node carry from now on never arrive, in
// one direction or both. They look alive.
func (w *world) lose() {
	n, which, share := w.anyNode(), 1+w.rng.IntN(3), 1+w.rng.IntN(3)
	w.note("lose %d of 1 of %d connections of node %d", which, share, n.number)
	for _, c := range n.link.all() {
		if w.rng.IntN(share) == 0 {
			n.link.lose(c, which&1 > 0, which&2 > 0)
		}
	}
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
	for _, c := range n.link.all() {
		c.cut(true)
	}
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

// freeze has the store answer nobody.
func (w *world) freeze() {
	s := w.primary
	w.note("%s freezes", s.name)
	s.freeze()
	w.later(w.during(), func() {
		w.note("%s thaws", s.name)
		if !s.dead {
			s.thaw()
		}
	})
}

// restart ends the store, which comes back with all of its data, or as it was
// some time ago, or empty.
func (w *world) restart() {
	old, kept := w.primary, w.primary.snapshot()
	how := w.rng.IntN(4)
	w.note("%s is to restart: %d", old.name, how)
	lag := time.Duration(0)
	switch how {
	case 0:
		kept = image{}
	case 1, 2:
		lag = w.during()
	}
	w.later(lag, func() {
		if old != w.primary {
			return
		}
		if how == 3 {
			kept = old.snapshot()
		}
		old.die()
		for _, n := range w.nodes {
			n.link.lead(nil)
		}
		ahead := []time.Duration{0, 0, -time.Hour, time.Second}[w.rng.IntN(4)]
		w.primary = w.newStore(kept, ahead)
		w.note("%s is gone, and %s will take its place", old.name, w.primary.name)
		next := w.primary
		w.later(w.during()/4, func() {
			for _, n := range w.nodes {
				if w.primary == next && n.life != nil {
					n.link.lead(next)
				}
			}
		})
	})
}

// flushScripts has the store forget all scripts.
func (w *world) flushScripts() { w.primary.server.Do("SCRIPT", "FLUSH") }
