// Package check finds out whether a subscriber got what it should: each
// message once, and those of a lane in their order.
package check

// Tally is what one subscriber got of one topic. A lane is a publisher that
// waits for each message's answer before it sends the next one: so its
// messages have an order.
type Tally struct {
	Got     uint64 // messages, without doubled ones
	Doubled uint64
	Late    uint64 // behind one that was sent after it
	Foreign uint64 // of another topic, or of no lane

	// Order depends on the messages and their order, of all lanes together,
	// without doubled ones. Subscribers who got the same have the same.
	Order uint64

	topic   uint32
	next    []uint32 // number of each lane
	missing []span
}

// span is a range of numbers of a lane that were passed over.
type span struct {
	lane     int
	from, to uint32 // to is not in it
}

// NewTally returns the tally of a subscriber to a topic who gets, of each
// lane, the messages from the given numbers on.
func NewTally(topic uint32, from []uint32) Tally {
	return Tally{topic: topic, next: append([]uint32(nil), from...)}
}

// Take counts a message.
func (t *Tally) Take(topic uint32, lane int, number uint32) {
	if topic != t.topic || lane >= len(t.next) {
		t.Foreign++
		return
	}
	next := &t.next[lane]
	switch {
	case number == *next:
		*next++
	case number > *next:
		t.missing = append(t.missing, span{lane, *next, number})
		*next = number + 1
	case t.found(lane, number):
		t.Late++
	default:
		t.Doubled++
		return
	}
	t.Got++
	t.Order = (t.Order ^ (uint64(lane)<<32 | uint64(number))) * 0x9e3779b97f4a7c15
}

// found takes a number out of those that are missing.
func (t *Tally) found(lane int, number uint32) bool {
	for i := range t.missing {
		s := &t.missing[i]
		if s.lane != lane || number < s.from || number >= s.to {
			continue
		}
		behind := span{lane, number + 1, s.to}
		s.to = number
		if behind.from < behind.to {
			t.missing = append(t.missing, behind)
		}
		return true
	}
	return false
}

// Missing returns how many messages have not come, if each lane has sent all
// below the given numbers.
func (t *Tally) Missing(sent []uint32) (n uint64) {
	for _, s := range t.missing {
		n += uint64(s.to - s.from)
	}
	for lane, next := range t.next {
		if next < sent[lane] {
			n += uint64(sent[lane] - next)
		}
	}
	return n
}
