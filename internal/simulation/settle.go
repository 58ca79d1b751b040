package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// settle waits until all is whole again, and judges what has come of it.
func (w *world) settle() {
	if !w.until(30*time.Second, "the nodes are ready again", w.ready) {
		return
	}
	time.Sleep(4 * w.beat) // reports of losses come with beats
	w.agenda.wait(itself, func() {
		for _, n := range w.nodes {
			c := w.newClient(len(w.clients))
			c.name = fmt.Sprint("newcomer at node ", n.number)
			c.topics, c.start = w.topics, hub.Start{All: true}
			w.clients = append(w.clients, c)
			c.connect(n.life)
		}
	})
	for _, c := range w.clients {
		c.slow, c.mouth = time.Millisecond, 1<<20
	}
	var goal event.Position
	w.agenda.wait(itself, func() { goal = w.primary.era.clock })
	w.until(30*time.Second, "all clients have everything", func() bool {
		return !slices.ContainsFunc(w.clients, func(c *client) bool { return !c.through(w.primary.era, goal) })
	})
	w.agenda.wait(itself, func() {
		w.checkTold()
		for _, c := range w.clients {
			if c.view != nil {
				c.view.pass(w.primary.era, goal)
			}
		}
	})
}

// through reports whether the client has everything up to a position.
func (c *client) through(in *era, goal event.Position) bool {
	if c.sub == nil {
		return false
	}
	c.take()
	at, err := parseCursor(c.sub.Cursor())
	return err == nil && c.epoch == in.epoch && !goal.After(at.Position)
}

// checkTold checks that each loss that a node can prove was reported.
func (w *world) checkTold() {
	now := w.primary.era
	for _, n := range w.nodes {
		knows := slices.SortedFunc(maps.Keys(n.life.knows), func(a, b *fact) int { return a.at.Compare(b.at) })
		for _, f := range knows {
			// What is too old by the clock that positions tell, nodes have forgotten.
			old := w.primary.latest.Sub(f.at.Time()) > w.limits.Age || !f.at.Add(w.limits.Age).After(now.clock)
			if old || now.has(f) {
				continue
			}
			if told := w.reported(f, now); !told && w.reportable(f, now) {
				w.fault("%s is lost, node %d knows it, and nobody was told", w.word(f), n.number)
			}
		}
	}
}

// reported reports whether a loss of the topic was reported at the fact's
// position or behind it: its gap says that up to there something is missing.
func (w *world) reported(f *fact, now *era) bool {
	for x := now.head; x != nil; x = x.parent {
		if x.loss() && x.topic == f.topic && !f.at.After(x.at) {
			return true
		}
	}
	return false
}

// reportable reports whether there are cursors that lead to the era and do not
// tell by themselves that the fact is lost: those of epochs before its own, which
// the present one may be if the store went back to it.
func (w *world) reportable(f *fact, now *era) bool {
	for e := now; e != nil; e = e.prior {
		if _, leads := f.era.in(event.Cursor{Epoch: e.epoch}); leads {
			return true
		}
	}
	return false
}
