package bustest

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// anyPublisherKeepsTheRules holds a bus against a model that says of every
// Publish which message it has to refuse, and why.
func anyPublisherKeepsTheRules(t *testing.T, open Open) {
	node := open(t, wide())
	nodes := []hub.Bus{node(), node()}
	feed := follow(t, nodes[0])
	rules := Rules(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := model{rules: rules, topics: map[event.Topic]believed{}, keyed: map[string]bool{}}
		j := newJudge(rt, run, nodes[1], feed)
		author := &author{rt: rt, run: run}
		for range rapid.IntRange(1, 12).Draw(rt, "calls") {
			batch := author.batch()
			bus := nodes[rapid.IntRange(0, 1).Draw(rt, "node")]
			receipts, err := bus.Publish(rt.Context(), batch)
			m.expect(rt, batch, receipts, err)
			j.heard(0, batch, receipts, err)
		}
		j.check()
	})
}

// model is what one who alone publishes knows of the topics.
type model struct {
	rules  event.Rules
	topics map[event.Topic]believed
	keyed  map[string]bool // topics and idempotency keys taken
}

type believed struct {
	status event.Status
	cells  map[string]bool // of a table
}

func (m *model) clone() model {
	c := model{rules: m.rules, topics: maps.Clone(m.topics), keyed: maps.Clone(m.keyed)}
	for name, topic := range c.topics {
		topic.cells = maps.Clone(topic.cells)
		c.topics[name] = topic
	}
	return c
}

// expect holds an answer against the model, and learns from it.
func (m *model) expect(rt *rapid.T, batch []event.Message, receipts []event.Receipt, err error) {
	rt.Helper()
	after := m.clone()
	index, want := after.publish(batch)
	if want != nil {
		item, ok := errors.AsType[*event.ItemError](err)
		if !ok || item.Index != index || fmt.Sprintf("%T %v", item.Err, item.Err) != fmt.Sprintf("%T %v", want, want) {
			rt.Fatalf("%+v: got %v, want message %d refused: %v", batch, err, index, want)
		}
		return
	}
	if err != nil || len(receipts) != len(batch) {
		rt.Fatalf("%+v: got %v, want it taken", batch, err)
	}
	seen := maps.Clone(m.keyed)
	for i, r := range receipts {
		again := batch[i].IdempotencyKey != "" && seen[name(batch[i])]
		seen[name(batch[i])] = true
		if want := (event.Receipt{Topic: batch[i].Topic, Cursor: r.Cursor, Duplicate: again}); r != want {
			rt.Fatalf("%+v: message %d got %+v, want %+v", batch, i, r, want)
		}
	}
	*m = after
}

func name(m event.Message) string { return string(m.Topic) + " " + m.IdempotencyKey }

// publish changes the model, or says which message has to be refused, and why.
func (m *model) publish(batch []event.Message) (int, error) {
	for i, message := range batch {
		if err := m.rules.Of(message.Topic).Check(message); err != nil {
			return i, err
		}
	}
	for i, message := range batch {
		if message.IdempotencyKey != "" && m.keyed[name(message)] {
			continue
		}
		if m.rules.Of(message.Topic).Kind != event.KindEphemeral {
			if err := m.take(message); err != nil {
				return i, err
			}
		}
		m.keyed[name(message)] = true
	}
	return 0, nil
}

func (m *model) take(message event.Message) error {
	topic := m.topics[message.Topic]
	if topic.status != "" {
		return &event.EndedError{Topic: message.Topic, Status: topic.status}
	}
	if rule := m.rules.Of(message.Topic); rule.Kind == event.KindLatest && !message.EndOnly {
		if topic.cells == nil {
			topic.cells = map[string]bool{}
		}
		if topic.cells[message.Key] = true; message.Data.IsNull() {
			delete(topic.cells, message.Key)
		}
		if len(topic.cells) > rule.Keys {
			return &event.TableFullError{Topic: message.Topic, Limit: fmt.Sprint(rule.Keys, " keys")}
		}
	}
	topic.status = message.End
	m.topics[message.Topic] = topic
	return nil
}
