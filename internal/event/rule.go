package event

import (
	"fmt"
	"hash/fnv"
)

// Rule says of the topics that a selector matches what is kept of them.
type Rule struct {
	Selector Selector
	Kind     Kind
	Keys     int // the most keys of a topic of KindLatest
}

// DefaultKeys is the most keys of a KindLatest topic whose rule says nothing.
const DefaultKeys = 10_000

// Rules are those of a node, the first one that matches counts. All nodes of a
// cluster should have the same: of the node that takes a message, the rules say
// what is kept of it.
type Rules []Rule

// Of returns the topic's rule. Topics without one are logs.
func (r Rules) Of(t Topic) Rule {
	for _, rule := range r {
		if rule.Selector.Match(t) {
			if rule.Keys == 0 {
				rule.Keys = DefaultKeys
			}
			return rule
		}
	}
	return Rule{Kind: KindLog}
}

// Digest identifies what the rules say, for nodes to compare.
func (r Rules) Digest() string {
	h := fnv.New64a()
	for _, rule := range r {
		keys := rule.Keys
		if rule.Kind == KindLatest && keys == 0 {
			keys = DefaultKeys
		}
		_, _ = fmt.Fprintf(h, "%s %s %d\n", rule.Selector, rule.Kind, keys) // a hash takes everything
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// Check reports what is wrong with the message for its topic, of which so much is
// kept: an InvalidError. A lease that outlasts what is kept could find nothing to
// end.
func (r Rules) Check(m Message, kept Retention) error {
	if m.Lease > kept.Age {
		return invalid("lease", "is %v; use %v at most, which is for how long a topic is kept here", m.Lease, kept.Age)
	}
	return r.Of(m.Topic).Check(m)
}

// Check reports what is wrong with the message for a topic with this rule: an
// InvalidError.
func (r Rule) Check(m Message) error {
	switch {
	case r.Kind == KindLatest && m.Key == "" && !m.EndOnly:
		return invalid("key", "is missing; topic %q keeps the latest message of each key", m.Topic)
	case r.Kind != KindLatest && !m.EndOnly && m.Data.IsNull():
		return invalid("data", "is null, which deletes a key of a topic that keeps the latest of each key; topic %q does not", m.Topic)
	case r.Kind == KindEphemeral && m.End != "":
		return invalid("end", "is not for topic %q, which is ephemeral: nothing of it is kept, so nobody could be told later", m.Topic)
	case r.Kind == KindEphemeral && m.Lease != 0:
		return invalid("lease", "is not for topic %q, which is ephemeral: it cannot end", m.Topic)
	}
	return nil
}
