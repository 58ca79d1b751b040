package referee_test

import (
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// A text is that of its publish alone, as heavy as its topic was then.
func TestLedgerTexts(t *testing.T) {
	t.Parallel()
	l := referee.NewLedger(2)
	var texts []string
	for _, weight := range []int{0, 3, 0} {
		l.Weigh("a", weight)
		for _, topic := range []event.Topic{"a", "b"} {
			_, text := l.Add(topic, 0)
			texts = append(texts, text)
		}
	}
	if got, want := strings.Join(texts, " "), "0.. 1.. 2..... 3.. 4.. 5.."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i, wrong := range []string{"", "0", "0...", "00..", "2..", "3.....", "6..", "-1..", "+1..", "x"} {
		v := referee.Judge(l, []*referee.Listener{play(t, l, "x", show(2, "b", wrong))}, nil)
		if v.Other != 1 {
			t.Errorf("%d: %q: %+v", i, wrong, v)
		}
	}
}
