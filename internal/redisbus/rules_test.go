package redisbus_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// one returns the rule of topic a, and of those below it.
func one(t *testing.T, kind event.Kind, keys int) event.Rules {
	t.Helper()
	var rules event.Rules
	for _, text := range []string{"a", "a.**"} {
		s, err := event.ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, event.Rule{Selector: s, Kind: kind, Keys: keys})
	}
	return rules
}

// send publishes messages to topic a, and tries until the store answers.
func send(t *testing.T, bus *redisbus.Bus, list ...event.Message) ([]event.Receipt, error) {
	t.Helper()
	for i := range list {
		if list[i].Topic == "" {
			list[i].Topic = "a"
		}
	}
	deadline := time.Now().Add(patience)
	for {
		receipts, err := bus.Publish(t.Context(), list)
		if u, ok := errors.AsType[*event.UnavailableError](err); !ok || u.MaybeStored || time.Now().After(deadline) {
			return receipts, err
		}
	}
}

// sent publishes messages to topic a.
func sent(t *testing.T, bus *redisbus.Bus, list ...event.Message) []event.Receipt {
	t.Helper()
	receipts, err := send(t, bus, list...)
	if err != nil {
		t.Fatal(err)
	}
	return receipts
}

// cell sets a key of a table, or deletes it: "k=v", "k=null".
func cell(text string) event.Message {
	key, value, _ := strings.Cut(text, "=")
	return event.Message{Key: key, Data: event.Data{Text: value, JSON: value == "null"}}
}

func cells(list ...string) (messages []event.Message) {
	for _, text := range list {
		messages = append(messages, cell(text))
	}
	return messages
}

// holds checks what topic a has behind a position: events as of cell, or ends, and
// reasons of gaps.
func holds(t *testing.T, bus *redisbus.Bus, after event.Position, events, gaps string) event.Page {
	t.Helper()
	page := history(t, bus, after, end)
	var got, said []string
	for _, e := range page.Events {
		text := e.Data.Text
		if e.End != "" {
			text = "end " + string(e.End)
		} else if e.Key != "" {
			text = e.Key + "=" + text
		}
		got = append(got, text)
	}
	for _, g := range page.Gaps {
		said = append(said, string(g.Reason))
	}
	if strings.Join(got, ", ") != events || strings.Join(said, ", ") != gaps {
		t.Fatalf("behind %v: got %q and %q, want %q and %q", after, got, said, events, gaps)
	}
	return page
}

// TestKindChanges has a rule change while its topic is there: what was kept by the
// other one goes when something comes, and leaves nothing for when that is back.
func TestKindChanges(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	table := openBus(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, 2)})
	log := openBus(t, redisbus.Options{URL: server.URL})

	first := sent(t, log, event.Message{Data: event.Data{Text: "x"}}, event.Message{Data: event.Data{Text: "y"}})[1].Cursor.Position
	holds(t, table, event.Position{}, "x, y", "")
	second := sent(t, table, cells("k=1", "l=1")...)[1].Cursor.Position
	page := holds(t, table, event.Position{}, "k=1, l=1", "trimmed")
	if want := (event.Gap{Position: first, Since: page.Events[0].Position, Reason: event.Trimmed}); page.Gaps[0] != want {
		t.Errorf("the gap is %+v, want %+v", page.Gaps[0], want)
	}
	holds(t, table, first, "k=1, l=1", "")

	sent(t, log, event.Message{Data: event.Data{Text: "z"}})
	holds(t, log, first, "z", "trimmed")
	holds(t, log, second, "z", "")
	sent(t, table, cells("m=1", "n=1")...) // k and l do not count any more
	holds(t, table, second, "m=1, n=1", "trimmed")
	sent(t, table, cells("m=null", "o=1")...)
	holds(t, table, second, "n=1, m=null, o=1", "trimmed")
	if info, _, err := table.Topic(t.Context(), "a"); err != nil || info.Retained != 3 || info.Kind != event.KindLatest {
		t.Errorf("it is %+v, %v", info, err)
	}
}

// TestEphemeralLeavesNothing looks at what Redis has of an ephemeral topic: what
// is remembered of producers and keys. So nothing of it can be lost, nor be gone.
func TestEphemeralLeavesNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	limits := event.Retention{Age: 2 * time.Second}
	n := startNode(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindEphemeral, 0), Retention: limits})
	tell(t, n.bus, "b", "1")
	eventually(t, "it is forgotten", func() bool { return server.Must("HEXISTS", "tt:{0}:clock", "forgotten") == "1" })
	message := event.Message{Topic: "a", Data: event.Data{Text: "x"}, IdempotencyKey: "k", Producer: "p", Seq: 7}
	receipt := sent(t, n.bus, message)[0]
	if receipt.Life != (event.Position{}) || receipt.Duplicate {
		t.Errorf("the receipt is %+v", receipt)
	}
	if again := sent(t, n.bus, message)[0]; !again.Duplicate || again.Cursor != receipt.Cursor {
		t.Errorf("a retry has the receipt %+v, want that of %+v", again, receipt)
	}
	var left []string
	for _, key := range strings.Fields(server.Must("KEYS", "*")) {
		if !strings.HasPrefix(key, "tt:{0}:lane:") {
			left = append(left, strings.TrimPrefix(key, "tt:{0}:"))
		}
	}
	slices.Sort(left)
	if got := strings.Join(left, " "); got != "clock once:a/k once:b/1 seq:a/p" {
		t.Errorf("Redis has %s", got)
	}
	holds(t, n.bus, event.Position{}, "", "")

	reports := n.bus.Stats().Reports
	tell(t, n.bus, "b", "2")
	server.Kill()
	server.Restart()
	tell(t, n.bus, "b", "3")
	eventually(t, "the loss of the other topic is told", func() bool { return n.bus.Stats().Reports > reports })
	settled(t, n)
	if known := server.Must("EXISTS", "tt:{0}:meta:a"); known != "0" || n.bus.Stats().Reports != reports+1 {
		t.Errorf("something was lost of a topic that has nothing: %d reports", n.bus.Stats().Reports-reports)
	}
	holds(t, n.bus, event.Position{}, "", "")
}

// TestRulesDiffer has nodes of other rules find each other out, for as long as
// they are there.
func TestRulesDiffer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := startNode(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, 2)})
	same := startNode(t, redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, 2)})
	settled(t, a, same)
	if a.bus.RulesDiffer() || same.bus.RulesDiffer() {
		t.Error("the same rules differ")
	}
	other, err := redisbus.Open(redisbus.Options{URL: server.URL, Rules: one(t, event.KindLatest, 3), Beat: beat})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "both have heard of it", func() bool { return a.bus.RulesDiffer() && same.bus.RulesDiffer() })
	other.Close()
	eventually(t, "it is gone", func() bool { return !a.bus.RulesDiffer() && !same.bus.RulesDiffer() })
	if n := a.bus.Stats().Discords; n != 1 {
		t.Errorf("that were %d nodes with other rules", n)
	}
}
