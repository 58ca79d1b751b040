package bustest

import (
	"errors"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// tableKeys is the most keys of a table in these tests.
const tableKeys = 5

// Rules are those of every bus that runs the contract: topics below "table"
// are tables of a few keys, those below "ephemeral" are ephemeral, all others
// logs.
func Rules(t *testing.T) event.Rules {
	t.Helper()
	return event.Rules{
		{Selector: selector(t, "table.**"), Kind: event.KindLatest, Keys: tableKeys},
		{Selector: selector(t, "ephemeral.**"), Kind: event.KindEphemeral},
	}
}

func selector(t *testing.T, text string) event.Selector {
	t.Helper()
	s, err := event.ParseSelector(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// set returns a message that sets a key, del one that deletes it.
func set(topic, key, text string) event.Message {
	m := message(topic, text)
	m.Key = key
	return m
}

func del(topic, key string) event.Message {
	m := set(topic, key, "null")
	m.Data.JSON = true
	return m
}

// ending returns the message with an end behind it, end an end by itself.
func ending(m event.Message, s event.Status) event.Message {
	m.End = s
	return m
}

func end(topic string, s event.Status) event.Message {
	return event.Message{Topic: event.Topic(topic), End: s, EndOnly: true}
}

// refused expects that the messages are refused for the one with the index, and
// that nothing of them is stored, and returns why.
func refused[E error](t *testing.T, bus hub.Bus, index int, list ...event.Message) E {
	t.Helper()
	before := stored(t, bus, list)
	_, err := bus.Publish(t.Context(), list)
	item, ok := errors.AsType[*event.ItemError](err)
	why, is := errors.AsType[E](err)
	if !ok || item.Index != index || !is {
		t.Fatalf("got %v, want message %d refused by a %T", err, index, why)
	}
	equal(t, "after a refusal", stored(t, bus, list), before)
	return why
}

// stored returns what is stored of the messages' topics.
func stored(t *testing.T, bus hub.Bus, list []event.Message) (events []event.Event) {
	t.Helper()
	for _, m := range list {
		events = append(events, all(t, bus, string(m.Topic))...)
	}
	return events
}

// rulesRefuse has messages that their topics are not for.
func rulesRefuse(t *testing.T, open Open) {
	bus := open(t, wide())()
	leased := message("ephemeral.a", "x")
	leased.Lease = event.MinLease
	for name, m := range map[string]event.Message{
		"a table's message without a key":       message("table.a", "x"),
		"a deletion without a key":              del("table.a", ""),
		"a deletion from a log":                 del("log.a", "k"),
		"a deletion from an ephemeral topic":    del("ephemeral.a", "k"),
		"a message that ends an ephemeral one":  ending(message("ephemeral.a", "x"), event.Completed),
		"the end of an ephemeral topic":         end("ephemeral.a", event.Cancelled),
		"a lease of an ephemeral topic":         leased,
		"a table's message without one, ending": ending(message("table.a", "x"), event.Failed),
	} {
		t.Run(name, func(t *testing.T) {
			why := refused[*event.InvalidError](t, bus, 1, message("other", "x"), m, message("log.a", "y"))
			if why.Field == "" || why.Reason == "" {
				t.Errorf("refused without a reason: %+v", why)
			}
		})
	}
	if infos, err := bus.Topics(t.Context(), nil, "", 10); err != nil || len(infos) > 0 {
		t.Errorf("refused messages left topics behind: %+v, %v", infos, err)
	}
}
