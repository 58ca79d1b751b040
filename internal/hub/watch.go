package hub

import (
	"slices"
	"sync"

	"tickertape/internal/event"
)

// watches are those who want to know when a topic ends, listeners or not.
type watches struct {
	mu sync.Mutex
	of map[event.Topic][]*watch
}

type watch struct{ ended func(event.Status) }

func newWatches() watches { return watches{of: map[event.Topic][]*watch{}} }

// Watch has the function called with how the topic ended, once it ends; more
// than once if what it was told is asked for anew. The caller has to call stop
// when it does not want to know any more. Ends from before are not told: who is
// about to publish watches first, and then an end is told, or the publish is
// refused. What ends while the feed is broken is asked for when it is mended.
// The function must not block, nor call the hub.
func (h *Hub) Watch(t event.Topic, ended func(event.Status)) (stop func()) {
	w := &watch{ended}
	h.watches.mu.Lock()
	defer h.watches.mu.Unlock()
	h.watches.of[t] = append(h.watches.of[t], w)
	return func() { h.watches.remove(t, w) }
}

func (w *watches) remove(t event.Topic, gone *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := slices.DeleteFunc(w.of[t], func(w *watch) bool { return w == gone })
	if w.of[t] = left; len(left) == 0 {
		delete(w.of, t)
	}
}

// tell says that the topic has ended.
func (w *watches) tell(t event.Topic, s event.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, w := range w.of[t] {
		w.ended(s)
	}
}

// mend has the store asked about the topics that may have ended in the broken
// stretch.
func (w *watches) mend(s event.Stretch, h *Hub) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for t := range w.of {
		if _, intact := s.Intact[t]; !intact {
			h.reads.push(task{ask: t})
		}
	}
}
