package auth

import (
	"fmt"
	"strings"

	"tickertape/internal/event"
)

// Action is what a right allows.
type Action string

// The actions.
const (
	Publish   Action = "publish"   // send messages, with their ends
	Subscribe Action = "subscribe" // read: streams, history, and what is known of a topic
	Manage    Action = "manage"    // end and cancel topics of others
)

// Actions are all of them, in the order in which they are told.
var Actions = [...]Action{Publish, Subscribe, Manage}

// Rights are what somebody may do, and with which topics.
type Rights map[Action][]event.Selector

// Allow reports whether the action is allowed with that topic.
func (r Rights) Allow(a Action, t event.Topic) bool {
	for _, s := range r[a] {
		if s.Match(t) {
			return true
		}
	}
	return false
}

// AllowAll reports whether the action is allowed with every topic that the
// selector matches, by one of the rights alone.
func (r Rights) AllowAll(a Action, wanted event.Selector) bool {
	for _, s := range r[a] {
		if s.Covers(wanted) {
			return true
		}
	}
	return false
}

// Grants are rights that may depend on who has them.
type Grants map[Action][]Pattern

// subjectMark stands in a pattern for the subject of a token.
const subjectMark = "{sub}"

// Pattern is a selector in which {sub} stands for the subject of whoever has the
// right.
type Pattern struct{ text string }

// ParsePattern returns the pattern, or says what is wrong with it.
func ParsePattern(text string) (Pattern, error) {
	if _, err := event.ParseSelector(strings.ReplaceAll(text, subjectMark, "x")); err != nil {
		return Pattern{}, err
	}
	return Pattern{text}, nil
}

// String returns the pattern as it was parsed.
func (p Pattern) String() string { return p.text }

// personal reports whether the pattern depends on a subject.
func (p Pattern) personal() bool { return strings.Contains(p.text, subjectMark) }

// For returns the selector for that subject.
func (p Pattern) For(subject string) (event.Selector, error) {
	if !p.personal() {
		return event.ParseSelector(p.text)
	}
	if subject == "" {
		return event.Selector{}, fmt.Errorf("%q needs a subject", p.text)
	}
	return event.ParseSelector(strings.ReplaceAll(p.text, subjectMark, Segment(subject)))
}

// For returns the rights that the grants give to that subject.
func (g Grants) For(subject string) (Rights, error) {
	rights := Rights{}
	for action, patterns := range g {
		for _, p := range patterns {
			s, err := p.For(subject)
			if err != nil {
				return nil, err
			}
			rights[action] = append(rights[action], s)
		}
	}
	return rights, nil
}

// Segment writes a subject so that it can stand in a topic, within one segment:
// letters, digits, "_", ":", "@" and "-" as they are, every other byte as "~" and
// two hexadecimal digits. No two subjects are written alike, and none of them
// reaches beyond its segment or stands for more than itself.
func Segment(subject string) string {
	var b strings.Builder
	for i := range len(subject) {
		switch c := subject[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_:@-", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "~%02x", c)
		}
	}
	return b.String()
}
