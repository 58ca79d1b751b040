package event

import "strings"

// Selector names a set of topics: a topic in which a whole segment may be "*"
// (exactly one segment) and the last one "**" (one or more segments).
type Selector struct {
	text     string
	segments []string
}

// ParseSelector returns s as a Selector, or an InvalidError.
func ParseSelector(s string) (Selector, error) {
	if err := checkSegments(s, func(c byte) bool { return isTopicByte(c) || c == '*' }); err != nil {
		return Selector{}, err
	}
	segments := strings.Split(s, ".")
	for i, segment := range segments {
		switch {
		case segment == "**" && i == len(segments)-1, segment == "*":
		case strings.Contains(segment, "*"):
			return Selector{}, invalid("selector", "%q: a * stands for one whole segment, and ** only for the last ones", s)
		}
	}
	if segments[0] == "hub" {
		return Selector{}, invalid("selector", "%q is reserved: names that begin with hub. are the hub's own", s)
	}
	return Selector{text: s, segments: segments}, nil
}

// String returns the selector as it was parsed.
func (s Selector) String() string { return s.text }

// Match reports whether the topic is one of the selector's.
func (s Selector) Match(t Topic) bool {
	rest := string(t)
	for i, want := range s.segments {
		if want == "**" {
			return rest != ""
		}
		segment, after, more := strings.Cut(rest, ".")
		if want != "*" && want != segment || segment == "" {
			return false
		}
		if last := i == len(s.segments)-1; last || !more {
			return last && !more
		}
		rest = after
	}
	return false
}

// Covers reports whether the selector matches every topic that the other one
// matches.
func (s Selector) Covers(other Selector) bool {
	for i, mine := range s.segments {
		if i == len(other.segments) {
			return false
		}
		switch its := other.segments[i]; {
		case mine == "**":
			return true
		case its == "**" || mine != "*" && mine != its:
			return false
		}
	}
	return len(s.segments) == len(other.segments)
}
