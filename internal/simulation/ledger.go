package simulation

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tickertape/internal/event"
)

// message is what a publisher sends, and what became of it.
type message struct {
	number   int
	topic    event.Topic
	seq      int64 // among its publisher's
	keyed    bool  // it is known again by its key, and for as long as that is remembered
	attempts []*attempt
	stored   []*fact // by any store
	receipt  *event.Cursor
}

// attempt is one Publish with the message in it.
type attempt struct {
	began   time.Time
	outcome outcome
}

// outcome is what a publisher was told.
type outcome uint8

const (
	underWay outcome = iota
	acknowledged
	refused // it is not stored, and never will be
	unknown
)

// newMessage returns a message of the topic that nobody has sent yet.
func (w *world) newMessage(t event.Topic) *message {
	m := &message{number: len(w.messages), topic: t}
	w.messages = append(w.messages, m)
	return m
}

func (m *message) text(padding int) string {
	return strconv.Itoa(m.number) + strings.Repeat(".", padding)
}

// number returns the number of the message with that text.
func (w *world) number(text string) int {
	n, err := strconv.Atoi(strings.TrimRight(text, "."))
	if err != nil || n < 0 || n >= len(w.messages) {
		w.fault("nobody has published %q", text)
		return 0
	}
	return n
}

// checkStored checks that a store may take the event in.
func (w *world) checkStored(s *store, f *fact) {
	m := w.messages[f.number]
	if m.topic != f.topic {
		w.fault("message %d was published to %s and stored in %s", m.number, m.topic, f.topic)
	}
	for x := s.era.head; x != nil; x = x.parent {
		if x.number == f.number && !(m.keyed && s.forgot(x)) {
			w.fault("%s stored message %d at %v, and again at %v", s.name, m.number, x.at, f.at)
		}
	}
	honest := false
	for _, a := range m.attempts {
		honest = honest || a.outcome != refused
	}
	if !honest {
		w.fault("%s stored message %d at %v, and its publisher was told that it is not stored", s.name, m.number, f.at)
	}
	m.stored = append(m.stored, f)
}

// checkLoss checks that there is something of which the loss can be reported.
func (w *world) checkLoss(s *store, report *fact) {
	for _, m := range w.messages {
		for _, f := range m.stored {
			if f.topic == report.topic && f.era.epoch == report.of && !s.era.has(f) {
				return
			}
		}
	}
	w.fault("%s was told that something of %s in %v is lost, and nothing is", s.name, report.topic, report.of)
}

// acknowledge takes in a receipt, and what the node knows by it.
func (w *world) acknowledge(n *life, m *message, a *attempt, r event.Receipt) {
	a.outcome = acknowledged
	if r.Duplicate && len(m.attempts) == 1 {
		w.fault("message %d was sent once, and is said to be a duplicate", m.number)
	}
	if r.Duplicate && r.Cursor == (event.Cursor{}) {
		return // behind others of its producer: nobody knows where
	}
	r.Cursor.Epoch.Store = 0
	for _, f := range m.stored {
		if f.at == r.Cursor.Position && f.era.epoch == r.Cursor.Epoch {
			m.receipt = &r.Cursor
			n.knows[f] = struct{}{}
			return
		}
	}
	w.fault("message %d was acknowledged at %v, and stored at %v", m.number, r.Cursor, places(m.stored))
}

// refuse takes in that an attempt is said to have stored nothing.
func (w *world) refuse(m *message, a *attempt) {
	a.outcome = refused
	for _, f := range m.stored {
		excused := f.when.Before(a.began)
		for _, other := range m.attempts {
			excused = excused || other.outcome != refused && !f.when.Before(other.began)
		}
		if !excused {
			w.fault("message %d is said not to be stored, and stands at %v", m.number, f.at)
		}
	}
}

func places(facts []*fact) (list []string) {
	for _, f := range facts {
		list = append(list, fmt.Sprintf("%v in %v", f.at, f.era.epoch))
	}
	return list
}
