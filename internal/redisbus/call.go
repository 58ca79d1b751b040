package redisbus

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tickertape/internal/event"
)

// group is what one Publish asks for, or one report of losses, or, without
// either, one reading of the clock. It is taken whole or not at all.
type group struct {
	messages []event.Message
	losses   []loss
	deadline time.Time
	size     int
	done     chan outcome // holds the one outcome
}

// outcome is what became of a group.
type outcome struct {
	receipts []event.Receipt
	clock    event.Clock
	err      error
}

func newGroup(messages []event.Message, losses []loss, deadline time.Time) *group {
	g := &group{messages: messages, losses: losses, deadline: deadline, done: make(chan outcome, 1)}
	for _, m := range messages {
		g.size += len(m.Data.Text) + len(m.Name) + len(m.Key) + len(m.Topic)
	}
	return g
}

// count returns how many things the group has to be stored or noted.
func (g *group) count() int { return len(g.messages) + len(g.losses) }

// follows returns the epoch that the group has to be taken in, or nothing.
func (g *group) follows() string {
	for _, m := range g.messages {
		if m.Follows != (event.Epoch{}) {
			return formatEpoch(m.Follows)
		}
	}
	return ""
}

// call is one run of the script that publishes.
type call struct {
	number int64
	groups []*group
	known  event.Clock // when it was sent
	sent   time.Time   // by Redis' clock, as it was known then
	taken  time.Time   // the same, once there is an answer
}

// arguments are the KEYS and ARGV of a script. publish/1_call.lua says what they mean.
type arguments struct {
	keys []string
	args []any
}

// arguments encodes the call for the server at the session's end.
func (c *call) arguments(l *lane, s *session) arguments {
	k, o := l.bus.keys, l.bus.options
	floor := l.bus.witness.floor()
	topics, names := c.topics()
	a := arguments{keys: []string{k.clock(), k.epochs(), k.topics(), k.names(), k.lane(l.name)}}
	number := c.number
	if len(names) == 0 {
		number = 0
	}
	a.args = append(a.args, s.run, number, floor.String(), formatEpoch(c.known.Epoch), o.Random(1<<32),
		o.Retention.Messages, o.Retention.Bytes, o.Retention.Age.Milliseconds(), o.RememberKeys.Milliseconds(),
		k.wire(), l.name, len(names), len(c.groups), c.known.Position.String(), o.RememberProducers.Milliseconds())
	for _, t := range names {
		a.keys = append(a.keys, k.log(t), k.meta(t))
		a.args = append(a.args, string(t))
	}
	more := moreKeys{before: len(a.keys), seqs: map[scope]int{}}
	for _, g := range c.groups {
		a.args = append(a.args, g.count(), s.inRedis(g.deadline).UnixMilli(), g.follows())
		for _, m := range g.messages {
			kind := textKind
			if m.Data.JSON {
				kind = jsonKind
			}
			a.args = append(a.args, topics[m.Topic], kind, m.Name, m.Key, m.Data.Text)
			more.once(&a, k, m)
			more.seq(&a, k, m)
		}
		for _, x := range g.losses {
			a.args = append(a.args, topics[x.topic], lossKind, formatEpoch(x.epoch), "", x.position.String(), 0, 0)
		}
	}
	return a
}

// moreKeys adds the keys of what is remembered of messages, and numbers them,
// from 1. A message without such a key has the number 0 and nothing else.
type moreKeys struct {
	before int // keys of other kinds
	seqs   map[scope]int
}

// scope is within what a message has its number.
type scope struct {
	topic    event.Topic
	producer string
}

func (x moreKeys) add(a *arguments, key string) (number int) {
	a.keys = append(a.keys, key)
	return len(a.keys) - x.before
}

func (x moreKeys) once(a *arguments, k keys, m event.Message) {
	if m.IdempotencyKey == "" {
		a.args = append(a.args, 0)
		return
	}
	digest := m.Digest()
	a.args = append(a.args, x.add(a, k.once(m.Topic, m.IdempotencyKey)), digest[:])
}

func (x moreKeys) seq(a *arguments, k keys, m event.Message) {
	if m.Producer == "" {
		a.args = append(a.args, 0)
		return
	}
	of := scope{m.Topic, m.Producer}
	if x.seqs[of] == 0 {
		x.seqs[of] = x.add(a, k.seq(m.Topic, m.Producer))
	}
	a.args = append(a.args, x.seqs[of], m.Seq)
}

// topics numbers the call's topics, from 1.
func (c *call) topics() (numbers map[event.Topic]int, names []event.Topic) {
	numbers = map[event.Topic]int{}
	add := func(t event.Topic) {
		if numbers[t] == 0 {
			names = append(names, t)
			numbers[t] = len(names)
		}
	}
	for _, g := range c.groups {
		for _, m := range g.messages {
			add(m.Topic)
		}
		for _, x := range g.losses {
			add(x.topic)
		}
	}
	return numbers, names
}

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
		a.outcomes[i] = r.outcome(g, a.clock)
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

func (r *answerReader) outcome(g *group, clock event.Clock) outcome {
	switch verdict := r.next(); {
	case verdict == "ok":
	case verdict == "late":
		return outcome{clock: clock, err: unavailable(errLate, false)}
	case verdict == "turned":
		return outcome{clock: clock, err: unavailable(errFollows, false)}
	case strings.HasPrefix(verdict, "reused:"):
		i, err := strconv.Atoi(strings.TrimPrefix(verdict, "reused:"))
		if err != nil || i < 0 || i >= len(g.messages) {
			r.err = errAnswer
		}
		return outcome{clock: clock, err: &event.ItemError{Index: i, Err: event.ErrKeyReused}}
	default:
		r.err = errAnswer
		return outcome{}
	}
	o := outcome{clock: clock, receipts: make([]event.Receipt, len(g.messages))}
	for i, m := range g.messages {
		o.receipts[i] = r.receipt(m.Topic, clock.Epoch)
	}
	for range g.losses {
		r.next()
	}
	return o
}

// receipt reads "<position>", or of a duplicate "<epoch>@<position>", or "old"
// where that is not known.
func (r *answerReader) receipt(t event.Topic, epoch event.Epoch) event.Receipt {
	word := r.next()
	if word == "old" {
		return event.Receipt{Topic: t, Duplicate: true}
	}
	of, at, duplicate := strings.Cut(word, "@")
	if !duplicate {
		at = word
	} else {
		var err error
		if epoch, err = parseEpoch(r.store, of); err != nil {
			r.err = err
		}
	}
	p, err := event.ParsePosition(at)
	if err != nil {
		r.err = errAnswer
	}
	return event.Receipt{Topic: t, Cursor: event.Cursor{Epoch: epoch, Position: p}, Duplicate: duplicate}
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
