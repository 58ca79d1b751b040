package loop

import "time"

// slots is how many ticks ahead a wheel looks. What is due later than that is
// looked after once more on the way.
const slots = 512

// wheel keeps connections by when they are to be looked after.
type wheel struct {
	tick  time.Duration
	begin time.Time
	turn  int64 // the last tick that has come
	slots [slots]*Conn
	count int
}

// place has the connection looked after at that time, or sooner if that was so
// already.
func (w *wheel) place(c *Conn, at time.Time) {
	due := int64((at.Sub(w.begin) + w.tick - 1) / w.tick)
	due = min(max(due, w.turn+1), w.turn+slots-1)
	if c.due != 0 && c.due <= due {
		return
	}
	w.remove(c)
	head := &w.slots[due%slots]
	c.due, c.prev, c.next = due, nil, *head
	if c.next != nil {
		c.next.prev = c
	}
	*head = c
	w.count++
}

// remove takes the connection out, if it is in there.
func (w *wheel) remove(c *Conn) {
	if c.due == 0 {
		return
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		w.slots[c.due%slots] = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.due, c.prev, c.next = 0, nil, nil
	w.count--
}

// advance takes out what is due by now, and hands it to expire.
func (w *wheel) advance(now time.Time, expire func(*Conn)) {
	for last := int64(now.Sub(w.begin) / w.tick); w.turn < last; {
		if w.count == 0 {
			w.turn = last
			return
		}
		w.turn++
		for slot := &w.slots[w.turn%slots]; *slot != nil; {
			c := *slot
			w.remove(c)
			expire(c)
		}
	}
}
