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
	for i := range messages {
		g.size += bytesOf(&messages[i]) + len(messages[i].Topic)
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
	runs   [][]run     // of each group
	known  event.Clock // when it was sent
	sent   time.Time   // by Redis' clock, as it was known then
	taken  time.Time   // the same, once there is an answer
}

func newCall(number int64, groups []*group, known event.Clock, rules event.Rules) *call {
	c := &call{number: number, groups: groups, known: known, runs: make([][]run, len(groups))}
	for i, g := range groups {
		c.runs[i] = runs(rules, g.messages)
	}
	return c
}

// arguments are the KEYS and ARGV of a script. publish/1_call.lua says what they mean.
type arguments struct {
	keys []string
	args []any
}

// arguments encodes the call for the server at the session's end. They hold until
// the lane's next ones.
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
		k.wire(), who, len(names), len(c.groups), c.known.Position.String(), o.RememberProducers.Milliseconds(), o.MaxTopics)
	for _, t := range names {
		c.topic(&a, k, o.Rules, t)
	}
	more := moreKeys{before: len(a.keys), seqs: map[scope]int{}}
	texts := l.room.of(c.size())
	for i, g := range c.groups {
		a.args = append(a.args, len(c.runs[i])+g.reports(), s.inRedis(g.deadline).UnixMilli(), g.follows())
		for _, r := range c.runs[i] {
			texts = more.run(&a, k, topics, g.messages[r.from:r.upto], r, texts)
		}
		for _, x := range g.losses {
			a.args = append(a.args, topics[x.topic], lossKind, 1, x.position.String(), formatEpoch(x.epoch), 0, "", 0, 0)
		}
		for _, x := range g.lapses {
			a.args = append(a.args, topics[x.topic], lapseKind, 1, "", "", 0, string(event.ProducerLost)+"/0", 0, 0)
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

// bytesOf returns how many bytes a message's texts have.
func bytesOf(m *event.Message) int { return len(m.Name) + len(m.Key) + len(m.Data.Text) }

// sizeOf returns what a message takes of a table; what deletes takes nothing.
func sizeOf(m *event.Message) int {
	if m.Data.IsNull() {
		return 0
	}
	return bytesOf(m)
}

// outlook returns what a message says of how its topic goes on, as the script has
// it.
func outlook(m *event.Message) string {
	if m.End == "" && m.Lease == 0 {
		return ""
	}
	return fmt.Sprintf("%s/%d", m.End, m.Lease.Milliseconds())
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

// size returns about how many bytes the call's messages take.
func (c *call) size() (bytes int) {
	for _, g := range c.groups {
		bytes += g.size + 16*len(g.messages)
	}
	return bytes
}

// run adds a run of these messages. The texts of the ones before may stand in front of
// theirs.
func (x moreKeys) run(a *arguments, k keys, topics map[event.Topic]int, messages []event.Message, r run, texts []byte) []byte {
	from := len(texts)
	last := &messages[len(messages)-1]
	if !last.EndOnly {
		for i := range messages {
			texts = appendMessage(texts, r.mark, &messages[i])
		}
	}
	a.args = append(a.args, topics[last.Topic], r.kind(last), len(messages), texts[from:len(texts):len(texts)])
	if r.plain {
		return texts
	}
	a.args = append(a.args, last.Key, sizeOf(last), outlook(last))
	x.once(a, k, last)
	x.seq(a, k, last)
	return texts
}

func (x moreKeys) add(a *arguments, key string) (number int) {
	a.keys = append(a.keys, key)
	return len(a.keys) - x.before
}

func (x moreKeys) once(a *arguments, k keys, m *event.Message) {
	if m.IdempotencyKey == "" {
		a.args = append(a.args, 0)
		return
	}
	digest := m.Digest()
	a.args = append(a.args, x.add(a, k.once(m.Topic, m.IdempotencyKey)), digest[:])
}

func (x moreKeys) seq(a *arguments, k keys, m *event.Message) {
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
	for i, g := range c.groups {
		for _, r := range c.runs[i] {
			add(g.messages[r.from].Topic)
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
