package redisbus

import (
	"sync"

	"tickertape/internal/event"
)

// witness is what this node knows of the store from its own experience: how
// its clock stood, and up to where each topic had events. When the store comes
// back older than that, the witness has the proof.
type witness struct {
	mu    sync.Mutex
	clock event.Clock
	high  event.Position // of all that was stored; floor of what comes
	heard map[event.Topic]mark
	lost  map[loss]struct{} // to be reported
}

// mark is a topic's highest position that was heard of, in its epoch.
type mark struct {
	epoch    event.Epoch
	position event.Position
}

// loss is a proof: the topic had an event at that position, in an epoch that
// ended before it.
type loss struct {
	topic    event.Topic
	epoch    event.Epoch
	position event.Position
}

// maxHeard bounds of how many topics a node can prove a loss, at about 150
// bytes each.
const maxHeard = 200_000

func newWitness() *witness {
	return &witness{heard: map[event.Topic]mark{}, lost: map[loss]struct{}{}}
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
	for topic, m := range w.heard {
		w.judge(topic, m)
	}
}

// note takes in that the topic had an event at the position.
func (w *witness) note(topic event.Topic, at event.Cursor) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := mark{at.Epoch, at.Position}
	w.high = event.Latest(w.high, m.position)
	if known, ok := w.heard[topic]; ok && known.position.After(m.position) {
		return
	}
	if len(w.heard) >= maxHeard {
		w.forget()
	}
	w.heard[topic] = m
	w.judge(topic, m)
}

// judge turns a mark into a loss if its epoch ended before it. Of an epoch
// that the store does not know at all, everything is lost, and every cursor
// says so by itself.
func (w *witness) judge(topic event.Topic, m mark) {
	if m.epoch == w.clock.Epoch {
		return
	}
	end, known := w.clock.Ended[m.epoch]
	if known && !m.position.After(end) {
		return
	}
	if known {
		w.lost[loss{topic, m.epoch, m.position}] = struct{}{}
	}
	delete(w.heard, topic)
}

// forget makes room: half of the topics, whichever.
func (w *witness) forget() {
	for topic := range w.heard {
		if len(w.heard) <= maxHeard/2 {
			return
		}
		delete(w.heard, topic)
	}
}

// losses returns at most n of those that are still to be reported.
func (w *witness) losses(n int) (list []loss) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for x := range w.lost {
		if len(list) == n {
			break
		}
		list = append(list, x)
	}
	return list
}

// reported lets go of losses that the store knows of now.
func (w *witness) reported(list []loss) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range list {
		delete(w.lost, x)
	}
}
