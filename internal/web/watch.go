package web

import (
	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// maxWatched is of how many topics a stream on its way in hears the end at once.
// Of more it forgets those that it came to first, and hears it from the bus when
// it writes to them.
const maxWatched = 10_000

// watch is over the topics that a stream on its way in has written to: when one
// of them ends, by whoever's hand, so does the stream.
type watch struct {
	hub  *hub.Hub
	in   *intake
	over map[event.Topic]func() // ends the watch over a topic; nil: there is none any more
	list []event.Topic          // the one that the stream came to first in front
}

func newWatch(h *hub.Hub, in *intake) *watch {
	return &watch{hub: h, in: in, over: map[event.Topic]func(){}}
}

// extend watches the topics of messages that are about to be published. The end
// that a stream itself brings does not end it.
func (w *watch) extend(messages []event.Message) {
	for _, m := range messages {
		if _, watched := w.over[m.Topic]; !watched {
			w.begin(m.Topic)
		}
		if m.End != "" {
			w.rest(m.Topic)
		}
	}
}

func (w *watch) begin(t event.Topic) {
	if len(w.list) == maxWatched {
		w.rest(w.list[0])
		delete(w.over, w.list[0])
		w.list = w.list[1:]
	}
	w.over[t] = w.hub.Watch(t, func(s event.Status) { w.in.close(&event.EndedError{Topic: t, Status: s}) })
	w.list = append(w.list, t)
}

// end ends all watches.
func (w *watch) end() {
	for _, t := range w.list {
		w.rest(t)
	}
}

func (w *watch) rest(t event.Topic) {
	if stop := w.over[t]; stop != nil {
		stop()
		w.over[t] = nil
	}
}
