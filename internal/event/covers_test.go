package event_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/event"
)

// A selector covers another one if and only if no topic tells them apart. Of a
// few letters, topics up to one segment more than the longer selector tell.
func TestSelectorCovers(t *testing.T) {
	t.Parallel()
	segments := []string{"a", "b", "c"} // selectors name two of them
	var topics []event.Topic
	longer := []string{""}
	for range 5 {
		var next []string
		for _, prefix := range longer {
			for _, s := range segments {
				next = append(next, prefix+s+".")
				topics = append(topics, event.Topic(prefix+s))
			}
		}
		longer = next
	}
	selectors := rapid.Custom(func(t *rapid.T) event.Selector {
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*"}), 1, 3).Draw(t, "segments")
		if rapid.Bool().Draw(t, "rest") {
			names = append(names[:len(names)-1], "**")
		}
		s, err := event.ParseSelector(strings.Join(names, "."))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		one, other := selectors.Draw(t, "one"), selectors.Draw(t, "other")
		want := true
		for _, topic := range topics {
			want = want && (one.Match(topic) || !other.Match(topic))
		}
		if got := one.Covers(other); got != want {
			t.Fatalf("%q covers %q: %v", one, other, got)
		}
	})
}
