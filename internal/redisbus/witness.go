package redisbus

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"tickertape/internal/event"
)

// witness is what this node knows of the store from its own experience: how
// its clock stood, and up to where each topic had events. When the store comes
// back older than that, the witness has the proof.
type witness struct {
	mu    sync.Mutex
	clock event.Clock
	high  event.Position          // of all that was stored; floor of what comes
	heard map[life]event.Position // the highest
	lost  map[life]struct{}       // those of them to be reported
	age   time.Duration           // how long events are kept
}

// life is a topic in one epoch.
type life struct {
	topic event.Topic
	epoch event.Epoch
}

// loss is a proof: the topic had an event at that position, in an epoch that
// ended before it, or that the store does not know.
type loss struct {
	life
	position event.Position
}

// maxHeard bounds of how many topics a node can prove a loss, at about 150
// bytes each.
const maxHeard = 200_000

func newWitness(age time.Duration) *witness {
	return &witness{heard: map[life]event.Position{}, lost: map[life]struct{}{}, age: age}
}

// now returns the store's clock as last heard of.
func (w *witness) now() event.Clock {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// floor returns a position that all new ones have to lie behind. It counts
// what was stored only, never a client's cursor, which anybody can make up.
func (w *witness) floor() event.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.high
}

// learn takes in how the store's clock stands. In a new epoch it finds out
// what of the former ones is gone.
func (w *witness) learn(clock event.Clock) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.high = event.Latest(w.high, clock.Position)
	if clock.Epoch == w.clock.Epoch {
		w.clock.Position = event.Latest(w.clock.Position, clock.Position)
		return
	}
	w.clock = clock
	for l, position := range w.heard {
		w.judge(l, position)
	}
}

// follow takes in how far the clock was heard to go. An epoch is learned by
// calls only.
func (w *witness) follow(clock event.Clock) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if clock.Epoch == w.clock.Epoch {
		w.clock.Position = event.Latest(w.clock.Position, clock.Position)
	}
}

// note takes in that the topic had an event at the position. The zero one, of
// a duplicate whose place is not known, says nothing.
func (w *witness) note(topic event.Topic, at event.Cursor) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.high = event.Latest(w.high, at.Position)
	l := life{topic, at.Epoch}
	known, ok := w.heard[l]
	if !at.Position.After(known) {
		return
	}
	if !ok && len(w.heard) >= maxHeard {
		w.forget()
	}
	w.heard[l] = at.Position
	w.judge(l, at.Position)
}

// judge finds out whether what was heard of is lost: its epoch ended before
// it, or is not known to the store at all. That is asked anew in each epoch,
// for a store that came back older once more has forgotten what was reported
// to it. What would have expired by now is not taken for lost.
func (w *witness) judge(l life, position event.Position) {
	end, known := w.clock.Ended[l.epoch]
	switch {
	case l.epoch == w.clock.Epoch, known && !position.After(end):
		delete(w.lost, l)
	case w.clock.Position.Time().Sub(position.Time()) > w.age:
		delete(w.heard, l)
		delete(w.lost, l)
	default:
		w.lost[l] = struct{}{}
	}
}

// forget makes room: half of the topics, whichever.
func (w *witness) forget() {
	for l := range w.heard {
		if len(w.heard) <= maxHeard/2 {
			return
		}
		delete(w.heard, l)
		delete(w.lost, l)
	}
}

// losses returns at most n of those that are still to be reported, and the epoch
// in which that is so. They are in order, so that positions follow theirs.
func (w *witness) losses(n int) (list []loss, in event.Epoch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.lost {
		if len(list) == n {
			break
		}
		list = append(list, loss{l, w.heard[l]})
	}
	slices.SortFunc(list, func(a, b loss) int {
		return cmp.Or(a.position.Compare(b.position), cmp.Compare(a.topic, b.topic), cmp.Compare(a.epoch.Number, b.epoch.Number))
	})
	return list, w.clock.Epoch
}

// reported lets go of losses that the store took in, in the epoch. What was
// heard of a topic since they were listed is still to be reported: where the
// feed hears one server and the lane calls another, that may lie behind them.
//
//	the feed, at a primary that lost   the lane, at the other one
//	hears 5
//	                                   lists 5
//	hears 9
//	                                   is told that 5 is taken in, at 7
func (w *witness) reported(list []loss, in event.Epoch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range list {
		if in == w.clock.Epoch && x.position == w.heard[x.life] {
			delete(w.lost, x.life)
		}
	}
}

// behind reports whether a place proves all that another one does.
func behind(p, of event.Cursor) bool { return p.Epoch == of.Epoch && p.Position.After(of.Position) }

// note takes in that a topic of that kind had an event. Of an ephemeral one, nothing
// can be lost.
func (b *Bus) note(k event.Kind, t event.Topic, at event.Cursor) {
	if k != event.KindEphemeral {
		b.witness.note(t, at)
	}
}
