package redisbus

import "tickertape/internal/event"

// run is messages of one group, next to each other, that the script takes as one.
type run struct {
	from, upto int // of the group's messages
	mark       string
	plain      bool // they have nothing but what is stored
}

// runs divides messages into as few runs as can be. Those of a run are to one
// topic that is no table, have no idempotency key, lease or end, and are of one
// producer, with each number by one higher than the one before, or of none.
func runs(rules event.Rules, messages []event.Message) (list []run) {
	bytes := 0
	for i := range messages {
		m := &messages[i]
		size := bytesOf(m)
		bytes += size
		if n := len(list); i > 0 && list[n-1].mark != latestMark && bytes <= packBytes && i-list[n-1].from < packMessages &&
			joins(&messages[i-1], m) {
			list[n-1].upto++
			continue
		}
		mark := markOf(rules.Of(m.Topic).Kind)
		list = append(list, run{i, i + 1, mark, mark != latestMark && alone(m) && m.Producer == ""})
		bytes = size
	}
	return list
}

// alone reports whether a message has nothing by which the store has to know it
// from others of its producer.
func alone(m *event.Message) bool {
	return m.IdempotencyKey == "" && m.End == "" && !m.EndOnly && m.Lease == 0
}

// joins reports whether a message may stand in a run behind another one.
func joins(last, m *event.Message) bool {
	return m.Topic == last.Topic && alone(last) && alone(m) && m.Producer == last.Producer &&
		(m.Producer == "" || m.Seq == last.Seq+1)
}

// kind returns what the script has to do with the run, which ends with the message.
func (r run) kind(last *event.Message) string {
	switch {
	case r.plain:
		return plainKind
	case last.EndOnly:
		return endKind
	}
	return textKind
}
