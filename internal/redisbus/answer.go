package redisbus

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tickertape/internal/event"
)

// answer is what the script that publishes returns.
type answer struct {
	clock    event.Clock
	now      time.Time // by Redis' clock
	outcomes []outcome // of each group
}

// answer reads the answer to the call.
func (c *call) answer(store uint16, text string, known event.Clock) (answer, error) {
	r := answerReader{words: strings.Fields(text), store: store}
	a := answer{clock: event.Clock{Epoch: r.epoch(), Began: r.position(), Position: r.position(), Ended: known.Ended}}
	a.now = time.UnixMilli(int64(r.count()))
	if n := r.count(); a.clock.Epoch != known.Epoch {
		a.clock.Ended = map[event.Epoch]event.Position{}
		for range min(n, len(r.words)/2) {
			epoch := r.epoch()
			a.clock.Ended[epoch] = r.position()
		}
	}
	a.outcomes = make([]outcome, len(c.groups))
	for i, g := range c.groups {
		a.outcomes[i] = r.outcome(g, c.runs[i], a.clock)
	}
	if r.err != nil {
		return answer{}, fmt.Errorf("%w: %.200q", r.err, text)
	}
	return a, nil
}

// answerReader takes words off an answer and remembers the first failure.
type answerReader struct {
	words []string
	store uint16
	err   error
}

func (r *answerReader) outcome(g *group, runs []run, clock event.Clock) outcome {
	switch verdict := r.next(); {
	case verdict == "ok":
	case verdict == "late":
		return outcome{clock: clock, err: unavailable(errLate, false)}
	case verdict == "turned":
		return outcome{clock: clock, err: unavailable(errFollows, false)}
	default:
		return outcome{clock: clock, err: r.refusal(g, verdict)}
	}
	o := outcome{clock: clock, receipts: make([]event.Receipt, len(g.messages))}
	for _, run := range runs {
		r.receipts(o.receipts[run.from:run.upto], g.messages[run.from].Topic, clock.Epoch)
	}
	for range g.reports() {
		r.next()
	}
	return o
}

// refusal reads what a group is refused for: "reused:<number of the message>",
// "ended:<number>:<status>", "full:<number>:<limit>:<of what>" or
// "crowded:<number>".
func (r *answerReader) refusal(g *group, verdict string) error {
	words := strings.SplitN(verdict, ":", 3)
	if len(words) < 2 {
		r.err = errAnswer
		return nil
	}
	i, err := strconv.Atoi(words[1])
	if err != nil || i < 0 || i >= len(g.messages) {
		r.err = errAnswer
		return nil
	}
	topic := g.messages[i].Topic
	switch word, rest := words[0], strings.Join(words[2:], ""); word {
	case "crowded":
		err = event.ErrTooManyTopics
	case "reused":
		err = event.ErrKeyReused
	case "ended":
		err = &event.EndedError{Topic: topic, Status: event.Status(rest)}
	case "full":
		err = &event.TableFullError{Topic: topic, Limit: strings.Replace(rest, ":", " ", 1)}
	default:
		r.err = errAnswer
	}
	return &event.ItemError{Index: i, Err: err}
}

// receipts reads those of a run: "<position>" of the last message, or of a duplicate
// "<epoch>@<position>", or "old" where that is not known; or
// "<number>*<epoch>@<position>,<position>" if so many are known.
func (r *answerReader) receipts(list []event.Receipt, t event.Topic, epoch event.Epoch) {
	for i := range list {
		list[i] = event.Receipt{Topic: t, Duplicate: true}
	}
	word := r.next()
	if word == "old" {
		return
	}
	if number, rest, partly := strings.Cut(word, "*"); partly {
		n, err := strconv.Atoi(number)
		known, fresh, both := strings.Cut(rest, ",")
		if err != nil || n < 1 || n >= len(list) || !both {
			r.err = errAnswer
			return
		}
		r.place(&list[n-1], known)
		list, word = list[n:], fresh
	}
	if strings.Contains(word, "@") {
		r.place(&list[len(list)-1], word)
		return
	}
	last, err := event.ParsePosition(word)
	if err != nil || last.Seq < uint64(len(list)-1) {
		r.err = errAnswer
		return
	}
	for i := range list {
		p := event.Position{MS: last.MS, Seq: last.Seq - uint64(len(list)-1-i)}
		list[i] = event.Receipt{Topic: t, Cursor: event.Cursor{Epoch: epoch, Position: p}}
	}
}

// place reads where a duplicate's first one stands: "<epoch>@<position>".
func (r *answerReader) place(to *event.Receipt, word string) {
	of, at, _ := strings.Cut(word, "@")
	epoch, err := parseEpoch(r.store, of)
	if err != nil {
		r.err = err
	}
	p, err := event.ParsePosition(at)
	if err != nil {
		r.err = errAnswer
	}
	to.Cursor = event.Cursor{Epoch: epoch, Position: p}
}

func (r *answerReader) next() string {
	if len(r.words) == 0 {
		r.err = errAnswer
		return ""
	}
	word := r.words[0]
	r.words = r.words[1:]
	return word
}

func (r *answerReader) epoch() event.Epoch {
	e, err := parseEpoch(r.store, r.next())
	if err != nil {
		r.err = err
	}
	return e
}

func (r *answerReader) position() event.Position {
	p, err := event.ParsePosition(r.next())
	if err != nil {
		r.err = errAnswer
	}
	return p
}

func (r *answerReader) count() int {
	n, err := strconv.Atoi(r.next())
	if err != nil || n < 0 || r.err != nil {
		r.err = errAnswer
		return 0
	}
	return n
}
