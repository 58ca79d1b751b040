package simulation

import (
	"time"

	"tickertape/internal/fakeredis"
)

// heal makes whole what is not: one store is left, and everybody reaches it.
func (w *world) heal() {
	w.healed = true
	w.note("all is whole again, with %s", w.primary.name)
	for _, s := range w.stores {
		s.server.Full, s.server.ReadOnly = false, false
		if s != w.primary && !s.dead {
			s.die()
		}
	}
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

// lead has the new connections of nodes lead to the store, of each node after a
// while of its own.
func (w *world) lead(nodes []*node, s *store, longest time.Duration) {
	for _, n := range nodes {
		w.later(time.Duration(w.rng.Int64N(int64(longest)+1)), func() {
			if n.life != nil && !s.dead {
				n.link.lead(s)
			}
		})
	}
}

// ahead draws how far the clock of a new store is ahead of the others'.
func (w *world) ahead() time.Duration {
	return []time.Duration{0, 0, 0, -time.Hour, -2 * time.Second, 2 * time.Second}[w.rng.IntN(6)]
}

// freeze has the store answer nobody.
func (w *world) freeze() {
	s := w.primary
	w.note("%s freezes", s.name)
	s.freeze()
	w.later(w.during(), func() {
		if !s.dead && s.frozen {
			w.note("%s thaws", s.name)
			s.thaw()
		}
	})
}

// restart ends the store, which comes back with all of its data, or as it was
// some time ago, or empty.
func (w *world) restart() {
	old, kept := w.primary, w.primary.snapshot()
	how := w.rng.IntN(4)
	lag := time.Duration(0)
	if how == 0 {
		kept = image{}
	} else if how < 3 {
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
		w.primary = w.newStore(kept, old.ahead+w.ahead())
		w.note("%s takes the place of %s, with its data of %v ago (%d)", w.primary.name, old.name, lag, how)
		next := w.primary
		w.later(w.during()/4, func() { w.lead(w.nodes, next, w.during()/4) })
	})
}

// split makes a second primary of the data as they were some time ago. Both
// answer: what connections there are stay, and new ones of some nodes lead to
// the second. After a while one of the two gives way.
func (w *world) split() {
	old, kept, lag := w.primary, w.primary.snapshot(), w.during()/4
	w.later(lag, func() {
		if old != w.primary || old.era == nil {
			return
		}
		second := w.newStore(kept, old.ahead+w.ahead())
		w.note("%s is another primary beside %s, with its data of %v ago", second.name, old.name, lag)
		w.lead(w.someNodes(), second, w.during()/4)
		for range w.rng.IntN(3) {
			w.later(w.during()/4, w.cutSome)
		}
		winner, loser := second, old
		if w.rng.IntN(3) == 0 {
			winner, loser = old, second
		}
		w.later(w.during(), func() {
			if winner.dead || loser.dead || old != w.primary {
				return
			}
			w.note("%s gives way to %s", loser.name, winner.name)
			w.primary = winner
			if w.rng.IntN(2) == 0 {
				loser.follow(winner)
				w.lead(w.nodes, winner, w.during()/4)
				w.later(w.during(), loser.die)
				return
			}
			loser.die()
			w.lead(w.nodes, winner, w.during()/4)
		})
	})
}

// flush empties the store, which runs on.
func (w *world) flush() {
	if w.rng.IntN(3) == 0 {
		w.note("flush %s", w.primary.name)
		if _, refused := w.primary.server.Do("FLUSHALL").(fakeredis.Error); !refused {
			w.primary.era = nil
		}
	}
}

// flushScripts has the store forget all scripts.
func (w *world) flushScripts() { w.primary.server.Do("SCRIPT", "FLUSH") }

// refuseWrites has the store refuse what is written, for want of memory or
// because it takes itself for a replica.
func (w *world) refuseWrites() {
	s, full := w.primary, w.rng.IntN(2) == 0
	w.note("%s refuses to write (full: %t)", s.name, full)
	s.server.Full, s.server.ReadOnly = full, !full
	w.later(w.during(), func() {
		if s.master == nil {
			s.server.Full, s.server.ReadOnly = false, false
		}
	})
}

// setClock sets the store's clock, forward or back.
func (w *world) setClock() {
	by := []time.Duration{-time.Hour, -time.Second, time.Second, 5 * time.Second, time.Hour}[w.rng.IntN(5)]
	w.note("set the clock of %s by %v", w.primary.name, by)
	w.primary.ahead += by
}
