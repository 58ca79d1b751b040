package check_test

import (
	"testing"

	"pgregory.net/rapid"

	"tickertape/bench/internal/check"
)

// message is of a lane.
type message struct {
	lane   int
	number uint32
}

const (
	topic = 7
	lanes = 3
)

// stream returns what the lanes send to the topic, in one order, and how many
// each has sent then.
func stream(t *rapid.T) (messages []message, from, sent []uint32) {
	from = rapid.SliceOfN(rapid.Uint32Range(0, 5), lanes, lanes).Draw(t, "from")
	sent = append([]uint32(nil), from...)
	for _, lane := range rapid.SliceOfN(rapid.IntRange(0, lanes-1), 1, 40).Draw(t, "lanes") {
		messages = append(messages, message{lane, sent[lane]})
		sent[lane]++
	}
	return messages, from, sent
}

func tallied(from []uint32, messages []message) check.Tally {
	tally := check.NewTally(topic, from)
	for _, m := range messages {
		tally.Take(topic, m.lane, m.number)
	}
	return tally
}

func TestWholeStream(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		messages, from, sent := stream(t)
		tally := tallied(from, messages)
		if tally.Missing(sent)+tally.Doubled+tally.Late+tally.Foreign != 0 || tally.Got != uint64(len(messages)) {
			t.Fatalf("%+v", tally)
		}
	})
}

// Whatever is left out, doubled or put elsewhere is counted as just that.
func TestBrokenStreams(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole, from, sent := stream(t)
		var got []message
		lost, doubled := uint64(0), uint64(0)
		for _, m := range whole {
			switch rapid.IntRange(0, 5).Draw(t, "fate") {
			case 0:
				lost++
			case 1:
				doubled++
				got = append(got, m, m)
			default:
				got = append(got, m)
			}
		}
		shuffled := rapid.Permutation(got).Draw(t, "order")
		tally := tallied(from, shuffled)
		if tally.Missing(sent) != lost || tally.Doubled != doubled || tally.Got != uint64(len(whole))-lost {
			t.Fatalf("lost %d, doubled %d: %+v", lost, doubled, tally)
		}
		if late := lateIn(shuffled); tally.Late != late {
			t.Fatalf("late %d: %+v", late, tally)
		}
	})
}

// lateIn counts messages that come behind later ones of their lane, each once.
func lateIn(messages []message) (late uint64) {
	seen := map[message]bool{}
	newest := map[int]uint32{}
	for _, m := range messages {
		if n, any := newest[m.lane]; any && m.number < n && !seen[m] {
			late++
		}
		newest[m.lane] = max(newest[m.lane], m.number)
		seen[m] = true
	}
	return late
}

// Two who got the same in another order can be told apart, even if each lane
// is in order for both.
func TestOrders(t *testing.T) {
	t.Parallel()
	a := []message{{0, 0}, {1, 0}, {0, 1}}
	b := []message{{1, 0}, {0, 0}, {0, 1}}
	from := make([]uint32, lanes)
	one, same, other := tallied(from, a), tallied(from, a), tallied(from, b)
	if one.Order != same.Order || one.Order == other.Order || other.Late != 0 {
		t.Errorf("%x, %x, %x", one.Order, same.Order, other.Order)
	}
}

func TestForeignMessages(t *testing.T) {
	t.Parallel()
	tally := check.NewTally(topic, make([]uint32, lanes))
	tally.Take(topic+1, 0, 0)
	tally.Take(topic, lanes, 0)
	if tally.Foreign != 2 || tally.Got != 0 {
		t.Errorf("%+v", tally)
	}
}
