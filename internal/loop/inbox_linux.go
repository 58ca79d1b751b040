package loop

import "sync"

// inbox is what others have for the writer of a loop.
type inbox struct {
	mu     sync.Mutex
	asleep bool // the writer waits for the bell
	mail
	bell chan struct{}
}

// mail is what an inbox collects.
type mail struct {
	ready []*Conn
	words []word
	all   bool // every connection is to be woken
	cut   bool // every connection is to be cut off
	over  bool // so is the loop
}

// word is what the epoll has to say of a connection.
type word struct {
	of     id
	events uint32
}

func (m *mail) empty() bool {
	return len(m.ready) == 0 && len(m.words) == 0 && !m.all && !m.cut && !m.over
}

// add puts the connection on the ready list.
func (b *inbox) add(c *Conn) {
	b.mu.Lock()
	b.ready = append(b.ready, c)
	b.unlock()
}

// offer is add for a connection that is new. It reports whether the loop still
// takes any.
func (b *inbox) offer(c *Conn) bool {
	b.mu.Lock()
	defer b.unlock()
	if !b.over {
		b.ready = append(b.ready, c)
	}
	return !b.over
}

// order notes what f does to the mail.
func (b *inbox) order(f func(*mail)) {
	b.mu.Lock()
	f(&b.mail)
	b.unlock()
}

// unlock lets go of the inbox, and rings if the writer sleeps.
func (b *inbox) unlock() {
	ring := b.asleep
	b.asleep = false
	b.mu.Unlock()
	if !ring {
		return
	}
	select {
	case b.bell <- struct{}{}:
	default: // it has not heard the last one yet
	}
}

// swap takes over what has come, for which it leaves behind room that was used
// before. If nothing has, the writer may sleep, unless it is busy.
func (b *inbox) swap(m *mail, busy bool) {
	room := mail{ready: m.ready[:0], words: m.words[:0]}
	b.mu.Lock()
	defer b.mu.Unlock()
	room.over = b.over // for ever
	*m, b.mail = b.mail, room
	b.asleep = !busy && m.empty()
}
