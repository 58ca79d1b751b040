package referee_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// What one gap speaks of is not what another one excuses.
func TestJudgeOfTwoGaps(t *testing.T) {
	t.Parallel()
	stream := trimmed(1, 2, "a") + show(3, "b", "1") + trimmed(5, 6, "a") + show(7, "b", "5")
	for _, c := range []struct{ texts, kind, words string }{
		{"0:2 4:6", "", ""},
		{"0:2 2:4 4:6", "lost", "2 of a at 4-0 of epoch 1 (acknowledged) never came, and no gap was told"},
		{"4:6", "false gaps", "up to 2-0"},
	} {
		l := referee.NewLedger(0)
		for i, topic := range []event.Topic{"a", "b", "a", "b", "a", "b"} {
			l.Add(topic, i)
		}
		l.Acknowledge(1, at(3))
		l.Acknowledge(5, at(7))
		for _, number := range []int{0, 2, 4} {
			if text := string(rune('0' + number)); strings.Contains(c.texts, text+":") {
				l.Acknowledge(number, at(uint64(number+2)))
			} else {
				l.Refuse(number)
			}
		}
		v := referee.Judge(l, []*referee.Listener{play(t, l, "x", stream)}, referee.Gaps{"a": referee.MayLose})
		expectVerdict(t, v, c.kind, c.words)
	}
}

// A gap stands where its end says, as an event does: also to those who come so
// late that epochs have begun and ended since.
func TestJudgeOfGapsToldLate(t *testing.T) {
	t.Parallel()
	replay := event.Cursor{Epoch: event.Epoch{Store: 1, Number: 3}, Position: event.Position{MS: 4}, Opened: event.Position{MS: 9}}.String()
	for _, c := range []struct {
		gap, at     string
		kind, words string
	}{
		{in(2, 4), in(2, 5), "", ""},
		{in(2, 4), in(2, 3), "disordered", "1 of a at 3-0 of epoch 2 came behind a gap that reaches"},
		{in(3, 4), in(2, 5), "disordered", "1 of a at 5-0 of epoch 2 came behind a gap that reaches"},
		{replay, in(2, 5), "", ""},
	} {
		l := referee.NewLedger(0)
		l.Add("a", 0)
		l.Add("a", 1)
		l.Acknowledge(0, at(2))
		l.Acknowledge(1, c.at)
		x := play(t, l, "x", gapAt(c.gap, "a")+showAt(c.at, "a", "1"))
		expectVerdict(t, referee.Judge(l, []*referee.Listener{x}, referee.Gaps{"a": referee.MayLose}), c.kind, c.words)
	}
}

// Of a topic that had nothing for longer than it is kept nobody knows any more
// what there was.
func TestJudgeOfForgottenTopics(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason event.Reason
		quiet  time.Duration
		kind   string
	}{
		{event.Expired, 4 * time.Second, ""},
		{event.Expired, 2 * time.Second, "false gaps"},
		{event.Trimmed, 4 * time.Second, "false gaps"},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := referee.NewLedger(0)
			l.KeepFor(3 * time.Second)
			x, err := referee.NewListener(l, "x", at(1), "a")
			if err != nil {
				t.Fatal(err)
			}
			h := x.Handler()
			for i, ms := range []uint64{2, 5} {
				number, text := l.Add("a", 0)
				l.Acknowledge(number, at(ms))
				if i == 1 {
					err = h.Gap(client.Gap{Topic: "a", Reason: c.reason, After: at(3), ResumedAt: at(4)})
				}
				e := client.Event{Envelope: event.Envelope{Topic: "a", ID: at(ms), Data: []byte(`"` + text + `"`)}, Cursor: at(ms)}
				if err := h.Event(e); err != nil {
					t.Error(err)
				}
				time.Sleep(c.quiet)
			}
			if err != nil {
				t.Error(err)
			}
			expectVerdict(t, referee.Judge(l, []*referee.Listener{x}, referee.Gaps{"a": referee.MayLose}), c.kind, "")
		})
	}
}
