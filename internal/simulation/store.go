package simulation

import (
	"fmt"
	"strconv"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/fakeredis"
)

// store is one server, and what the model knows of it. It belongs to the
// agenda.
type store struct {
	world  *world
	name   string
	server *fakeredis.Server
	ahead  time.Duration // of its clock before the others'
	latest time.Time     // that its clock has ever shown
	passed time.Time     // that any clock has shown by which its data were kept
	era    *era          // in which it is
	dead   bool
	frozen bool
	queue  []arrival          // what came while it was frozen
	master *store             // whom it follows, if it is a replica
	gone   map[*fact]struct{} // what it had dropped before it followed
}

// arrival is what came by a connection; no bytes: the other end was closed.
type arrival struct {
	connection *connection
	bytes      []byte
}

// image is a store's data at a moment, as a snapshot or a replica has them.
type image struct {
	data *fakeredis.Data
	era  *era
	head *fact // the last that it has

	passed time.Time // as of store
}

// newStore starts a server with the data of an image.
func (w *world) newStore(from image, ahead time.Duration) *store {
	s := &store{world: w, name: fmt.Sprint("store ", len(w.stores)+1), ahead: ahead, passed: from.passed}
	w.stores = append(w.stores, s)
	if from.era != nil {
		s.era = from.era.fork(from.head)
	}
	s.server = fakeredis.New(fakeredis.Options{Run: fmt.Sprintf("%040x", len(w.stores)), Now: s.now, Lua: w.lua, Data: from.data, Watch: s.watch})
	return s
}

func (s *store) now() time.Time {
	now := time.Now().Add(s.ahead)
	if now.After(s.latest) {
		s.latest = now
	}
	if now.After(s.passed) {
		s.passed = now
	}
	return now
}

// snapshot returns a copy of what the store has.
func (s *store) snapshot() image {
	i := image{data: s.server.Snapshot(), era: s.era, passed: s.passed}
	if s.era != nil {
		i.head = s.era.head
	}
	return i
}

// receive takes in what comes by a connection.
func (s *store) receive(c *connection, b []byte) {
	switch {
	case s.dead:
		c.cut(true)
		return
	case s.frozen:
		s.queue = append(s.queue, arrival{c, b})
		return
	case b == nil:
		c.close()
		return
	}
	if c.peer == nil {
		c.peer = s.server.Accept(func(answer []byte) {
			c.link.send(&c.down, answer, func() { c.link.arriveDown(c, answer) })
		})
	}
	if !c.peer.Receive(b) {
		s.world.fault("%s got what is no request: %q", s.name, b)
	}
}

// freeze has the store answer nobody, and thaw has it do all that has come
// meanwhile.
func (s *store) freeze() { s.frozen = true }

func (s *store) thaw() {
	queue := s.queue
	s.frozen, s.queue = false, nil
	for _, a := range queue {
		if !a.connection.gone {
			s.receive(a.connection, a.bytes)
		}
	}
}

// follow makes the store a replica of another one. Its connections stay, and
// hear what is published there.
func (s *store) follow(master *store) {
	s.gone = map[*fact]struct{}{}
	if s.era != nil { // nil: it was emptied, and nobody has written since
		for x := s.era.head; x != nil; x = x.parent {
			if !x.loss() && !s.has(x) {
				s.gone[x] = struct{}{}
			}
		}
	}
	s.master, s.era = master, nil
	s.server.ReadOnly = true
	s.server.Replace(master.server.Snapshot())
}

// die ends the server and all of its connections.
func (s *store) die() {
	s.dead, s.frozen, s.queue = true, false, nil
	s.cut(true)
}

// cut breaks all connections to the store.
func (s *store) cut(reset bool) {
	for _, n := range s.world.nodes {
		n.link.each(func(c *connection) {
			if c.store == s {
				c.cut(reset)
			}
		})
	}
}

// has reports whether the store still keeps an event. What is too old is gone,
// and what was gone once: streams may have heard of that.
func (s *store) has(f *fact) bool {
	if _, gone := s.gone[f]; gone {
		return false
	}
	entries, _ := s.server.Do("XRANGE", prefix+"log:"+string(f.topic), f.at.String(), "+", "COUNT", "1").([]any)
	first, _ := s.server.Do("HGET", prefix+"meta:"+string(f.topic), "first").(string)
	from, _ := event.ParsePosition(first) // in the middle of an entry maybe
	return len(entries) > 0 && !from.After(f.at) && f.at.Add(s.world.limits.Age).Time().After(s.latest)
}

// forgot reports whether the store may have forgotten the key of a message, by
// any clock that it, or whose data it has, has gone by.
func (s *store) forgot(f *fact) bool {
	return s.passed.UnixMilli() >= f.shown.UnixMilli()+keysLast.Milliseconds()
}

// scored returns the end of the millisecond in which a topic's last event stood,
// and whether the books have no more of it than that.
func (s *store) scored(t event.Topic) (event.Position, bool) {
	score, listed := s.server.Do("ZSCORE", prefix+"topics", string(t)).(string)
	_, known := s.server.Do("HGET", prefix+"meta:"+string(t), "last").(string)
	ms, err := strconv.ParseUint(score, 10, 64)
	return endOf(ms), listed && !known && err == nil
}

// forgotten returns the position up to which the store may have dropped topics
// from its books.
func (s *store) forgotten() event.Position {
	text, _ := s.server.Do("HGET", prefix+"clock", "forgotten").(string)
	p, _ := event.ParsePosition(text)
	return p
}
