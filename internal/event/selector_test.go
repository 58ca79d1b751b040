package event_test

import (
	"regexp"
	"strings"
	"testing"

	"tickertape/internal/event"
)

var (
	plainTopic    = regexp.MustCompile(`^[A-Za-z0-9_~:@-]+(\.[A-Za-z0-9_~:@-]+)*$`)
	plainSelector = regexp.MustCompile(`^(([A-Za-z0-9_~:@-]+|\*)\.)*([A-Za-z0-9_~:@-]+|\*|\*\*)$`)
)

// isTopic and isSelector are what DESIGN promises, as regular expressions.
func isTopic(s string) bool {
	return len(s) <= 255 && plainTopic.MatchString(s) && s != "hub" && !strings.HasPrefix(s, "hub.")
}

func isSelector(s string) bool {
	return len(s) <= 255 && plainSelector.MatchString(s) && s != "hub" && !strings.HasPrefix(s, "hub.")
}

// matches says the same as Selector.Match by a regular expression.
func matches(selector, topic string) bool {
	var pattern []string
	for segment := range strings.SplitSeq(selector, ".") {
		switch segment {
		case "*":
			segment = `[^.]+`
		case "**":
			segment = `[^.]+(\.[^.]+)*`
		default:
			segment = regexp.QuoteMeta(segment)
		}
		pattern = append(pattern, segment)
	}
	return regexp.MustCompile(`^` + strings.Join(pattern, `\.`) + `$`).MatchString(topic)
}

func FuzzSelector(f *testing.F) {
	for _, pair := range [][2]string{
		{"a", "a"}, {"a.b", "a"}, {"a", "a.b"}, {"*", "a"}, {"*", "a.b"}, {"**", "a"}, {"**", "a.b.c"}, {"a.**", "a"}, {"a.**", "a.b.c"},
		{"a.*", "a"}, {"a.*", "a.b"}, {"a.*.c", "a.b.c"}, {"*.*", "a.b"}, {"*.**", "a"}, {"*.**", "a.b"}, {"**.a", "b.a"}, {"a*", "ab"}, {"***", "a"},
		{"hub", "hub"}, {"hub.*", "hub.x"}, {"hubs.*", "hubs.x"}, {"*", "hub"}, {"", ""}, {".", "."}, {"a..b", "a..b"}, {".a", "a."}, {"a/b", "a/b"},
		{"quotes.AAPL", "quotes.AAPL"}, {"a:b@c~d-e_f", "a:b@c~d-e_f"}, {strings.Repeat("a", 256), strings.Repeat("a", 255)}, {"a\n", "a\n"}, {"é", "é"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, selector, topic string) {
		s, err := event.ParseSelector(selector)
		if (err == nil) != isSelector(selector) {
			t.Fatalf("selector %q: %v", selector, err)
		}
		name, topicErr := event.ParseTopic(topic)
		if (topicErr == nil) != isTopic(topic) || topicErr == nil && string(name) != topic {
			t.Fatalf("topic %q: %q, %v", topic, name, topicErr)
		}
		if topicErr != nil {
			return
		}
		own, ownErr := event.ParseSelector(topic)
		if ownErr != nil || !own.Match(name) || own.String() != topic {
			t.Fatalf("topic %q is no selector of itself: %v", topic, ownErr)
		}
		if err == nil && s.Match(name) != matches(selector, topic) {
			t.Fatalf("%q matches %q: %v", selector, topic, s.Match(name))
		}
	})
}

func TestSelectorMatch(t *testing.T) {
	t.Parallel()
	for selector, topics := range map[string]struct{ yes, no string }{
		"a":     {"a", "b a.a aa A"},
		"*":     {"a b", "a.b"},
		"a.*":   {"a.b a.c", "a a.b.c b.a"},
		"*.b":   {"a.b b.b", "b a.b.b"},
		"a.*.c": {"a.b.c", "a.c a.b.b.c"},
		"**":    {"a a.b a.b.c", ""},
		"a.**":  {"a.b a.b.c", "a b.a ab.c"},
		"*.**":  {"a.b a.b.c", "a"},
	} {
		s, err := event.ParseSelector(selector)
		if err != nil {
			t.Errorf("%q: %v", selector, err)
		}
		for _, topic := range strings.Fields(topics.yes) {
			if !s.Match(event.Topic(topic)) || !matches(selector, topic) {
				t.Errorf("%q does not match %q", selector, topic)
			}
		}
		for _, topic := range strings.Fields(topics.no) {
			if s.Match(event.Topic(topic)) || matches(selector, topic) {
				t.Errorf("%q matches %q", selector, topic)
			}
		}
	}
}
