package redisbus

import (
	"fmt"
	"time"

	"tickertape/internal/event"
)

// group is what one Publish asks for, or one report of losses, or of leases that
// may have run out, or, without any of these, one reading of the clock. It is
// taken whole or not at all.
type group struct {
	messages []event.Message
	losses   []loss
	lapses   []lapse
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
func (g *group) count() int { return len(g.messages) + g.reports() }

// reports returns how many of them nobody has published.
func (g *group) reports() int { return len(g.losses) + len(g.lapses) }

// follows returns the epoch that the group has to be taken in, or nothing.
func (g *group) follows() string {
	for _, m := range g.messages {
		if m.Follows != (event.Epoch{}) {
			return formatEpoch(m.Follows)
		}
	}
	if len(g.lapses) > 0 {
		return formatEpoch(g.lapses[0].epoch)
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
	a := arguments{keys: []string{k.clock(), k.epochs(), k.topics(), k.names(), k.lane(l.name), k.due()}}
	number, who := c.number, l.name
	if len(names) == 0 {
		number, who = 0, l.name+"/"+l.bus.accord.own
	}
	a.args = append(a.args, s.run, number, floor.String(), formatEpoch(c.known.Epoch), o.Random(1<<32),
		o.Retention.Messages, o.Retention.Bytes, o.Retention.Age.Milliseconds(), o.RememberKeys.Milliseconds(),
		k.wire(), who, len(names), len(c.groups), c.known.Position.String(), o.RememberProducers.Milliseconds())
	for _, t := range names {
		c.topic(&a, k, o.Rules, t)
	}
	more := moreKeys{before: len(a.keys), seqs: map[scope]int{}}
	for _, g := range c.groups {
		a.args = append(a.args, g.count(), s.inRedis(g.deadline).UnixMilli(), g.follows())
		for _, m := range g.messages {
			a.args = append(a.args, topics[m.Topic], messageKind(m), m.Name, m.Key, m.Data.Text, lifeOf(m))
			more.once(&a, k, m)
			more.seq(&a, k, m)
		}
		for _, x := range g.losses {
			a.args = append(a.args, topics[x.topic], lossKind, formatEpoch(x.epoch), "", x.position.String(), "", 0, 0)
		}
		for _, x := range g.lapses {
			a.args = append(a.args, topics[x.topic], lapseKind, "", "", "", string(event.ProducerLost)+"/0/", 0, 0)
		}
	}
	return a
}

// topic adds the keys of a topic, and what its rule says. What nobody has published
// changes no topic's kind.
func (c *call) topic(a *arguments, k keys, rules event.Rules, t event.Topic) {
	rule, mark := rules.Of(t), unknownMark
	if c.groups[0].reports() == 0 {
		mark = markOf(rule.Kind)
	}
	a.keys = append(a.keys, k.log(t), k.meta(t))
	if mark == latestMark {
		a.keys = append(a.keys, k.now(t), k.nulls(t))
	}
	a.args = append(a.args, string(t), mark, rule.Keys)
}

func messageKind(m event.Message) string {
	switch {
	case m.EndOnly:
		return endKind
	case m.Data.JSON:
		return jsonKind
	}
	return textKind
}

// lifeOf returns what a message says of its topic's life, as the script has it.
func lifeOf(m event.Message) string {
	if m.End == "" && m.Lease == 0 && m.Life.IsZero() {
		return ""
	}
	life := ""
	if !m.Life.IsZero() {
		life = m.Life.String()
	}
	return fmt.Sprintf("%s/%d/%s", m.End, m.Lease.Milliseconds(), life)
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
		for _, x := range g.lapses {
			add(x.topic)
		}
	}
	return numbers, names
}
