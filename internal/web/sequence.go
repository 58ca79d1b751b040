package web

import (
	"net/url"
	"strconv"

	"tickertape/internal/event"
)

// sequence numbers the messages of a request: the producer's next ones, from
// the number first on. Without a producer they have no numbers.
type sequence struct {
	producer string
	first    int64
}

// parseSequence reads the query's producer and seq, which go together.
func parseSequence(query url.Values) (sequence, error) {
	switch {
	case !query.Has("producer") && !query.Has("seq"):
		return sequence{}, nil
	case !query.Has("seq"):
		return sequence{}, hinted{invalid("seq", "is missing: a producer numbers its messages"), "producer=job-7&seq=0"}
	case !query.Has("producer"):
		return sequence{}, hinted{invalid("producer", "is missing: seq is the number of a producer's message"), "producer=job-7&seq=0"}
	case query.Get("producer") == "":
		return sequence{}, invalid("producer", "is empty")
	}
	first, err := strconv.ParseUint(query.Get("seq"), 10, 64)
	if err != nil || first > event.MaxSeq {
		return sequence{}, invalid("seq", "is %.64q; use a number from 0 to %d", query.Get("seq"), int64(event.MaxSeq))
	}
	return sequence{query.Get("producer"), int64(first)}, nil
}

// number gives the messages, of which there is one at least, their numbers.
// The last number is the highest one: if it is valid, they all are.
func (s sequence) number(messages []event.Message) error {
	if s.producer == "" {
		return nil
	}
	for i := range messages {
		messages[i].Producer, messages[i].Seq = s.producer, s.first+int64(i)
	}
	return messages[len(messages)-1].Validate()
}
