package event_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"tickertape/internal/event"
)

func rule(t *testing.T, selector string, kind event.Kind, keys int) event.Rule {
	t.Helper()
	s, err := event.ParseSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return event.Rule{Selector: s, Kind: kind, Keys: keys}
}

func TestTheFirstRuleCounts(t *testing.T) {
	t.Parallel()
	rules := event.Rules{
		rule(t, "quotes.test", event.KindLog, 0), rule(t, "quotes.*", event.KindLatest, 7), rule(t, "quotes.**", event.KindLatest, 0),
		rule(t, "news.live", event.KindEphemeral, 0), rule(t, "quotes.AAPL", event.KindEphemeral, 0),
	}
	for topic, want := range map[event.Topic]event.Rule{
		"quotes.test": {Kind: event.KindLog}, "quotes.AAPL": {Kind: event.KindLatest, Keys: 7}, "quotes.a.b": {Kind: event.KindLatest, Keys: event.DefaultKeys},
		"news.live": {Kind: event.KindEphemeral}, "news": {Kind: event.KindLog}, "quotes": {Kind: event.KindLog},
	} {
		if got := rules.Of(topic); got.Kind != want.Kind || want.Keys != 0 && got.Keys != want.Keys {
			t.Errorf("%s: got %+v, want %+v", topic, got, want)
		}
	}
	if got := event.Rules(nil).Of("a"); got.Kind != event.KindLog {
		t.Errorf("without rules: %+v", got)
	}
}

func TestRulesCheckMessages(t *testing.T) {
	t.Parallel()
	text, null := event.Data{Text: "x"}, event.Data{Text: "null", JSON: true}
	for _, c := range []struct {
		message event.Message
		wrong   map[event.Kind]string // the field that is blamed
	}{
		{event.Message{Data: text}, map[event.Kind]string{event.KindLatest: "key"}},
		{event.Message{Data: text, Key: "k"}, nil},
		{event.Message{Data: null, Key: "k"}, map[event.Kind]string{event.KindLog: "data", event.KindEphemeral: "data"}},
		{event.Message{Data: null}, map[event.Kind]string{event.KindLog: "data", event.KindLatest: "key", event.KindEphemeral: "data"}},
		{event.Message{Data: event.Data{Text: "null"}, Key: "k"}, nil},
		{event.Message{Data: text, Key: "k", End: event.Failed}, map[event.Kind]string{event.KindEphemeral: "end"}},
		{event.Message{Data: text, End: event.Failed}, map[event.Kind]string{event.KindLatest: "key", event.KindEphemeral: "end"}},
		{event.Message{EndOnly: true, End: event.Failed}, map[event.Kind]string{event.KindEphemeral: "end"}},
		{event.Message{Data: text, Key: "k", Lease: time.Minute}, map[event.Kind]string{event.KindEphemeral: "lease"}},
	} {
		c.message.Topic = "a"
		for _, kind := range []event.Kind{event.KindLog, event.KindLatest, event.KindEphemeral} {
			err := event.Rule{Kind: kind, Keys: 1}.Check(c.message)
			blamed := ""
			if invalid, ok := errors.AsType[*event.InvalidError](err); ok {
				blamed = invalid.Field
			}
			if blamed != c.wrong[kind] || (err == nil) != (blamed == "") {
				t.Errorf("%v %+v: got %v, want %q blamed", kind, c.message, err, c.wrong[kind])
			}
		}
	}
}

// Rules have one digest if and only if they say the same.
func TestDigestOfRules(t *testing.T) {
	t.Parallel()
	a, b := rule(t, "a.*", event.KindLatest, 7), rule(t, "b.**", event.KindEphemeral, 0)
	seen := map[string]event.Rules{}
	for _, rules := range []event.Rules{
		nil, {a}, {b}, {a, b}, {b, a}, {a, a}, {rule(t, "a.*", event.KindLatest, 8)}, {rule(t, "a.*", event.KindLog, 7)},
		{rule(t, "a.**", event.KindLatest, 7)}, {rule(t, "a.*", event.KindLatest, 0)},
	} {
		digest := rules.Digest()
		if other, ok := seen[digest]; ok || digest == "" {
			t.Errorf("%v has the digest of %v", rules, other)
		}
		seen[digest] = rules
		if again := slices.Clone(rules).Digest(); again != digest {
			t.Errorf("%v has the digests %s and %s", rules, digest, again)
		}
	}
	said, unsaid := event.Rules{rule(t, "a", event.KindLatest, event.DefaultKeys)}, event.Rules{rule(t, "a", event.KindLatest, 0)}
	if said.Digest() != unsaid.Digest() {
		t.Error("a default that is said differs from one that is not")
	}
}

func TestKindsHaveNames(t *testing.T) {
	t.Parallel()
	for kind, name := range map[event.Kind]string{event.KindLog: "log", event.KindLatest: "latest", event.KindEphemeral: "ephemeral"} {
		got, err := event.ParseKind(name)
		if err != nil || got != kind || kind.String() != name {
			t.Errorf("%q is %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "Log", "table", long(1000)} {
		kind, err := event.ParseKind(name)
		if invalid, ok := errors.AsType[*event.InvalidError](err); !ok || invalid.Field != "kind" || len(err.Error()) > 200 {
			t.Errorf("%.20q is %v, %v", name, kind, err)
		}
	}
}
