package simulation

import (
	"slices"
	"strings"
	"time"

	"tickertape/internal/event"
)

// watch takes in what a script has written.
func (s *store) watch(writes [][]string) {
	var stored []string
	var ended event.Position
	cut := map[event.Topic]bool{}
	for _, args := range writes {
		switch {
		case args[0] == "XADD":
			p := pack{topic: event.Topic(strings.TrimPrefix(args[1], prefix+"log:")), count: args[6], texts: args[8]}
			p.last, _ = event.ParsePosition(args[2])
			for _, i := range p.items() {
				stored = append(stored, string(i.topic)+" "+i.at.String()+" "+i.data)
			}
		case args[0] == "HSET" && strings.HasPrefix(args[1], prefix+"meta:"):
			// What is over a limit may still be there, in the middle of a pack.
			if i := slices.Index(args, "since"); i > 0 && args[i+1] != "" {
				cut[event.Topic(strings.TrimPrefix(args[1], prefix+"meta:"))] = true
			}
		case args[0] == "HSET" && args[1] == prefix+"epochs":
			ended, _ = event.ParsePosition(args[3])
		case args[0] == "PUBLISH":
			s.replicate(args)
			s.take(parseAnnouncement(args[2]), stored, ended, cut)
			stored = nil
		}
	}
	if len(stored) > 0 {
		s.world.fault("%s stored %v and announced nothing", s.name, stored)
	}
}

// replicate has those who listen to replicas hear what is published.
func (s *store) replicate(args []string) {
	for _, replica := range s.world.stores {
		if replica.master == s && !replica.dead && !replica.frozen {
			replica.server.Do(args...)
		}
	}
}

// take takes in an announcement, beside what was stored with it, and of which
// topics something was cut off.
func (s *store) take(a announcement, stored []string, ended event.Position, cut map[event.Topic]bool) {
	w := s.world
	if s.era == nil || s.era.epoch != a.epoch {
		s.turn(a, ended)
	} else if s.era.clock != a.prev {
		w.fault("%s announces what comes behind %v, and stands at %v", s.name, a.prev, s.era.clock)
	}
	e := s.era
	for _, i := range a.items {
		if !i.at.After(e.clock) {
			w.fault("%s gave out %v behind %v", s.name, i.at, e.clock)
		}
		e.clock = i.at
		f := &fact{parent: e.head, era: e, at: i.at, prev: i.prev, topic: i.topic, number: -1, when: time.Now(), shown: s.now(), cuts: cut[i.topic]}
		if i.kind == "l" {
			f.of = parseEpoch(i.name)
			w.checkLoss(s, f)
		} else {
			f.number = w.number(i.data)
			if len(stored) == 0 || stored[0] != string(i.topic)+" "+i.at.String()+" "+i.data {
				w.fault("%s announced %v of %s, and stored %v", s.name, i.at, i.topic, stored)
			} else {
				stored = stored[1:]
			}
			w.checkStored(s, f)
		}
		e.head = f
		w.note("%s: %v of %s: %d", s.name, f.at, f.topic, f.number)
	}
	if len(stored) > 0 {
		w.fault("%s stored %v and did not announce it", s.name, stored)
	}
	e.clock = a.upto
}

// turn begins an epoch.
func (s *store) turn(a announcement, ended event.Position) {
	w := s.world
	began := a.upto
	if len(a.items) > 0 {
		began = a.items[0].at.Previous()
	}
	e := &era{epoch: a.epoch, store: s, prior: s.era, ended: ended, began: began, clock: began}
	if s.era != nil {
		e.head = s.era.head
		if e.head != nil && e.head.at.After(ended) || !began.After(ended) {
			w.fault("%s ended an epoch at %v, before %+v, and began another at %v", s.name, ended, e.head, began)
		}
	}
	if _, again := w.eras[a.epoch]; again {
		w.fault("%s began an epoch that there was: %v", s.name, a.epoch)
	}
	w.eras[a.epoch] = e
	w.note("%s: epoch %v behind %v", s.name, a.epoch, ended)
	s.era = e
}
