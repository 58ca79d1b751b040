package event

import (
	"strings"
)

// Limits of what a publisher may name or send, in bytes.
const (
	MaxTopic          = 255
	MaxName           = 128
	MaxKey            = 128
	MaxIdempotencyKey = 128
	MaxProducer       = 128
	// MaxSeq is the highest number that every store and JSON keep exactly.
	MaxSeq  = 1<<53 - 1
	MaxData = 256 << 10
)

// Topic is the name of one order of events: 1 to 255 bytes of
// "A-Z a-z 0-9 . _ ~ : @ -", split into segments by dots. The alphabet has no
// "/", so a topic is always exactly one path segment of a URL, and nothing
// that a Redis key or an SSE field could be broken with.
type Topic string

// ParseTopic returns s as a Topic, or an InvalidError that says what is wrong
// with it. The names "hub" and "hub.*" belong to the hub itself.
func ParseTopic(s string) (Topic, error) {
	if err := checkSegments(s, isTopicByte); err != nil {
		return "", err
	}
	if s == "hub" || strings.HasPrefix(s, "hub.") {
		return "", invalid("topic", "%q is reserved: names that begin with hub. are the hub's own", s)
	}
	return Topic(s), nil
}

func checkSegments(s string, allowed func(byte) bool) error {
	switch {
	case s == "":
		return invalid("topic", "is missing")
	case len(s) > MaxTopic:
		return invalid("topic", "is %d bytes long; at most %d are allowed", len(s), MaxTopic)
	}
	for i := range len(s) {
		if !allowed(s[i]) {
			return invalid("topic", "%q has a character that is not allowed at byte %d; use A-Z a-z 0-9 . _ ~ : @ -", s, i)
		}
	}
	if s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return invalid("topic", "%q has an empty segment", s)
	}
	return nil
}

func isTopicByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._~:@-", c) >= 0
}
