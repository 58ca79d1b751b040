package redisbus

import (
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
	high  event.Position // of all that was stored; floor of what comes
	heard map[event.Topic]mark
	lost  map[loss]bool // whether the store has been told, in this epoch
	age   time.Duration
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

// newWitness returns a witness that knows nothing. What would have expired
// by now, age after its time, it does not take for lost.
func newWitness(age time.Duration) *witness {
	return &witness{heard: map[event.Topic]mark{}, lost: map[loss]bool{}, age: age}
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
	// The store may also have lost that it was told.
	for x := range w.lost {
		if w.lost[x] = false; clock.Position.Time().Sub(x.position.Time()) > w.age {
			delete(w.lost, x)
		}
	}
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
// that the store does not know at all, everything is lost.
func (w *witness) judge(topic event.Topic, m mark) {
	if m.epoch == w.clock.Epoch {
		return
	}
	end, known := w.clock.Ended[m.epoch]
	if known && !m.position.After(end) {
		return
	}
	w.lost[loss{topic, m.epoch, m.position}] = false
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
	for x, told := range w.lost {
		if len(list) == n {
			break
		}
		if !told {
			list = append(list, x)
		}
	}
	return list
}

// reported takes in that the store was told of the losses in the epoch.
func (w *witness) reported(list []loss, in event.Epoch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if in != w.clock.Epoch {
		return
	}
	for _, x := range list {
		w.lost[x] = true
		if len(w.lost) > maxHeard {
			delete(w.lost, x)
		}
	}
}
