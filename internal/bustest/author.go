package bustest

import (
	"fmt"

	"pgregory.net/rapid"

	"tickertape/internal/event"
)

// author makes up what publishers send. Its topics are its run's own.
type author struct {
	rt      *rapid.T
	run     int
	written int
	keyed   []event.Message // what had an idempotency key
}

func (a *author) batch() (batch []event.Message) {
	if rapid.IntRange(0, 4).Draw(a.rt, "whole table") == 0 {
		return a.table()
	}
	for range rapid.IntRange(1, 4).Draw(a.rt, "messages") {
		batch = append(batch, a.message())
	}
	return batch
}

// table sets or deletes most keys of a table, so that its limits are met.
func (a *author) table() (batch []event.Message) {
	topic := fmt.Sprint("table.", a.run, ".0")
	sets, dels := rapid.IntRange(0, tableKeys+1).Draw(a.rt, "set"), rapid.IntRange(0, tableKeys+2).Draw(a.rt, "deleted")
	for key := range tableKeys + 2 {
		a.written++
		switch m := set(topic, fmt.Sprint("k", key), fmt.Sprint(a.written)); {
		case key < dels:
			batch = append(batch, del(topic, m.Key))
		case key-dels < sets:
			batch = append(batch, m)
		}
	}
	if len(batch) == 0 {
		return []event.Message{a.message()}
	}
	return batch
}

// message makes up one, or repeats an earlier one.
func (a *author) message() event.Message {
	if n := len(a.keyed); n > 0 && rapid.IntRange(0, 4).Draw(a.rt, "again") == 0 {
		return a.keyed[rapid.IntRange(0, n-1).Draw(a.rt, "which")]
	}
	a.written++
	kind := rapid.SampledFrom([]string{"table", "table", "table", "log", "ephemeral"}).Draw(a.rt, "kind")
	topic := fmt.Sprint(kind, ".", a.run, ".", rapid.IntRange(0, 1).Draw(a.rt, "topic"))
	m := set(topic, fmt.Sprint("k", rapid.IntRange(0, tableKeys+1).Draw(a.rt, "key")), fmt.Sprint(a.written))
	switch rapid.IntRange(0, 19).Draw(a.rt, "what") {
	case 0:
		m = ending(m, event.Completed)
	case 1:
		m = end(topic, event.Cancelled)
	case 2, 3, 4, 5, 6:
		m = del(topic, m.Key)
	}
	if kind != "table" && m.Data.IsNull() || kind == "ephemeral" && m.End != "" {
		// Mostly not what the topic is for: a refusal is worth a try now and then.
		if rapid.IntRange(0, 3).Draw(a.rt, "refused") > 0 {
			m = message(topic, fmt.Sprint(a.written))
		}
	}
	if rapid.IntRange(0, 3).Draw(a.rt, "keyed") == 0 {
		m.IdempotencyKey = fmt.Sprint("i", a.written)
		a.keyed = append(a.keyed, m)
	}
	return m
}
