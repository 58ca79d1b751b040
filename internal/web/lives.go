package web

import (
	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// maxLives is of how many topics a stream on its way in remembers the life, and
// hears of the end. Of more it forgets those that it came to first.
const maxLives = 10_000

// lives are the topics that a stream on its way in has written to. What it goes
// on to write belongs to the life that each had then, and when one ends, by
// whoever's hand, so does the stream.
type lives struct {
	hub  *hub.Hub
	in   *intake
	of   map[event.Topic]*life
	list []event.Topic // the one that the stream came to first in front
}

type life struct {
	began event.Position // zero: not known yet
	stop  func()         // ends the watch over the topic; nil: there is none
}

func newLives(h *hub.Hub, in *intake) *lives {
	return &lives{hub: h, in: in, of: map[event.Topic]*life{}}
}

// bind puts the messages, which are about to be published, into the lives of
// their topics. The end that a stream itself brings does not end it.
func (l *lives) bind(messages []event.Message) {
	for i, m := range messages {
		topic := l.of[m.Topic]
		if topic == nil {
			topic = l.enter(m.Topic)
		}
		messages[i].Life = topic.began
		if m.End != "" {
			topic.rest()
		}
	}
}

// enter begins to watch a topic.
func (l *lives) enter(t event.Topic) *life {
	if len(l.list) == maxLives {
		l.of[l.list[0]].rest()
		delete(l.of, l.list[0])
		l.list = l.list[1:]
	}
	entered := &life{stop: l.hub.Watch(t, func(s event.Status) { l.in.close(&event.EndedError{Topic: t, Status: s}) })}
	l.of[t] = entered
	l.list = append(l.list, t)
	return entered
}

// learn takes in which lives the messages came to be in: of each topic the
// first one counts.
func (l *lives) learn(receipts []event.Receipt) {
	for _, r := range receipts {
		if topic := l.of[r.Topic]; topic != nil && topic.began.IsZero() {
			topic.began = r.Life
		}
	}
}

// end ends all watches.
func (l *lives) end() {
	for _, topic := range l.of {
		topic.rest()
	}
}

func (l *life) rest() {
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
}
