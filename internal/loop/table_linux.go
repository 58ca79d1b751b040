package loop

// id names a connection: its place in the table, and whose turn there it is.
type id struct{ place, turn uint32 }

// table finds connections by their ids.
type table struct {
	places []place
	free   []uint32
}

type place struct {
	conn *Conn // nil: the place is free
	turn uint32
}

// add gives the connection its id.
func (t *table) add(c *Conn) {
	if len(t.free) == 0 {
		t.free = append(t.free, uint32(len(t.places)))
		t.places = append(t.places, place{})
	}
	last := len(t.free) - 1
	at := t.free[last]
	t.free = t.free[:last]
	p := &t.places[at]
	p.conn, p.turn = c, max(1, p.turn+1)
	c.id = id{at, p.turn}
}

// find returns the connection, or nil if it is not there any more.
func (t *table) find(i id) *Conn {
	if int(i.place) >= len(t.places) || t.places[i.place].turn != i.turn {
		return nil
	}
	return t.places[i.place].conn
}

// remove makes the connection's place free, if it has one.
func (t *table) remove(c *Conn) {
	if t.find(c.id) == c {
		t.places[c.id.place].conn = nil
		t.free = append(t.free, c.id.place)
	}
}

// each calls f for each connection. It may remove the one it is called for.
func (t *table) each(f func(*Conn)) {
	for i := range t.places {
		if c := t.places[i].conn; c != nil {
			f(c)
		}
	}
}
