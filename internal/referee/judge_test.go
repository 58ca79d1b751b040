package referee_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// in returns a cursor of an epoch.
func in(epoch uint32, ms uint64) string {
	return event.Cursor{Epoch: event.Epoch{Store: 1, Number: epoch}, Position: event.Position{MS: ms}}.String()
}

// at returns a cursor of the first epoch.
func at(ms uint64) string { return in(1, ms) }

// show returns a block of a stream that shows an event.
func show(ms uint64, topic, text string) string { return showAt(at(ms), topic, text) }

func showAt(id, topic, text string) string {
	return fmt.Sprintf("id: %s\ndata: {\"topic\":%q,\"id\":%q,\"data\":%q}\n\n", id, topic, id, text)
}

// gap returns a block that tells of a gap up to there.
func gap(ms uint64, topic string) string { return gapAt(at(ms), topic) }

func gapAt(id, topic string) string {
	return fmt.Sprintf("id: %s\nevent: hub.gap\ndata: {\"topic\":%q,\"reason\":\"store_lost\",\"after\":null,\"resumed_at\":%q}\n\n", id, topic, id)
}

// trimmed returns a block that tells of what was trimmed in between.
func trimmed(after, upto uint64, topic string) string {
	return fmt.Sprintf("id: %s\nevent: hub.gap\ndata: {\"topic\":%q,\"reason\":\"trimmed\",\"after\":%q,\"resumed_at\":%q}\n\n", at(upto), topic, at(after), at(upto))
}

// play gives a listener its stream, to the topics a and b.
func play(t *testing.T, l *referee.Ledger, name, stream string) *referee.Listener {
	t.Helper()
	// Whoever comes back has read all before.
	read := make(chan struct{})
	var connections atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if connections.Add(1) > 1 {
			close(read)
			<-r.Context().Done()
			return
		}
		_, _ = fmt.Fprintf(w, "retry: 20\nid: %s\nevent: hub.open\ndata: {}\n\n%s", at(1), stream)
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	x, err := referee.Listen(c, l, name, at(1), "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Stop)
	select {
	case <-read:
	case <-time.After(20 * time.Second):
		t.Fatal("the stream was not read to its end")
	}
	x.Stop()
	return x
}

// expectVerdict wants faults of one kind, and of no other, or none at all.
func expectVerdict(t *testing.T, got referee.Verdict, kind, words string) {
	t.Helper()
	for name, count := range map[string]int{"lost": got.Lost, "doubled": got.Doubled, "disordered": got.Disordered,
		"false gaps": got.FalseGaps, "other": got.Other} {
		if wanted := strings.Contains(kind, name); wanted != (count > 0) {
			t.Errorf("%s: %d, want %q", name, count, kind)
		}
	}
	if got.Clean() != (kind == "") {
		t.Errorf("clean: %t, want %q", got.Clean(), kind)
	}
	if all := strings.Join(got.Faults, "; "); !strings.Contains(all, words) || kind == "" && all != "" {
		t.Errorf("said %q, want %q", all, words)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	good := show(2, "a", "0") + show(3, "b", "1") + show(5, "a", "4")
	mayLose, mustLose := referee.Gaps{"b": referee.MayLose}, referee.Gaps{"b": referee.MustLose}
	for name, c := range map[string]struct {
		stream      string
		allowed     referee.Gaps
		kind, words string
	}{
		"all is well":          {good, nil, "", ""},
		"the unknown comes":    {show(2, "a", "0") + show(3, "b", "1") + show(4, "a", "2") + show(5, "a", "4"), nil, "lost", "listener 1: 2 of a"},
		"one is missing":       {show(2, "a", "0") + show(5, "a", "4"), nil, "lost", "1 of b at 3-0 of epoch 1 (acknowledged) never came"},
		"one comes twice":      {good + show(6, "a", "0"), nil, "doubled", "0 came twice"},
		"out of order":         {show(3, "b", "1") + show(2, "a", "0") + show(5, "a", "4"), nil, "disordered", "0 came at"},
		"never published":      {good + show(6, "a", "77"), nil, "other", "nobody published it"},
		"forged":               {good + show(6, "a", "00"), nil, "other", "nobody published it"},
		"refused":              {show(2, "a", "0") + show(3, "b", "1") + show(4, "b", "3") + show(5, "a", "4"), nil, "other, lost", "told that it is not stored"},
		"another topic":        {show(2, "b", "0") + show(3, "b", "1") + show(5, "a", "4"), nil, "other", "came of b and was published to a"},
		"another id":           {show(2, "a", "0") + show(4, "b", "1") + show(5, "a", "4"), nil, "doubled", "for others it stands at"},
		"a gap for nothing":    {good + gap(6, "a"), nil, "false gaps", "where nothing is missing"},
		"still for nothing":    {show(2, "a", "0") + show(3, "b", "1") + gap(4, "b") + show(5, "a", "4"), mayLose, "false gaps", "where nothing is missing"},
		"a gap of another":     {good + gap(6, "c"), nil, "other, false gaps", "nothing for this stream"},
		"a gap for a loss":     {show(2, "a", "0") + gap(4, "b") + show(5, "a", "4"), mustLose, "lost", "listener 1: was told of no gap of b"},
		"a loss for others":    {show(2, "a", "0") + gap(4, "b") + show(5, "a", "4"), mayLose, "", ""},
		"a gap that may not":   {show(2, "a", "0") + gap(4, "b") + show(5, "a", "4"), nil, "other", "where nothing may be lost"},
		"a loss without gap":   {show(2, "a", "0") + show(5, "a", "4"), mayLose, "lost", "no gap was told"},
		"a gap too short":      {show(2, "a", "0") + gap(2, "b") + show(5, "a", "4"), mayLose, "lost, false gaps", "no gap was told"},
		"behind the gap":       {show(2, "a", "0") + gap(4, "b") + show(3, "b", "1") + show(5, "a", "4"), mayLose, "disordered, false gaps", "came behind a gap that reaches"},
		"trimmed":              {show(2, "a", "0") + trimmed(2, 3, "b") + show(5, "a", "4"), mayLose, "", ""},
		"trimmed for nothing":  {good + trimmed(1, 4, "b"), mayLose, "false gaps", "(trimmed)"},
		"trimmed elsewhere":    {show(2, "a", "0") + trimmed(3, 4, "b") + show(5, "a", "4"), mayLose, "lost, false gaps", "no gap was told"},
		"trimmed too late":     {trimmed(3, 4, "a") + show(3, "b", "1") + show(5, "a", "4"), referee.Gaps{"a": referee.MayLose}, "lost", "0 of a"},
		"an epoch that is old": {good + showAt(in(0, 6), "a", "2"), mayLose, "disordered, lost", "2 came at"},
		"stored again":         {good + showAt(in(2, 6), "b", "5") + showAt(in(3, 7), "b", "5"), mayLose, "lost", "listener 1: 5 of b at 7-0 of epoch 3"},
		"stored again at once": {good + showAt(in(2, 6), "b", "5") + showAt(in(2, 7), "b", "5"), mayLose, "doubled, lost", "5 came twice"},
		"stored again for all": {good + showAt(in(2, 6), "a", "2") + showAt(in(3, 7), "a", "2"), mayLose, "doubled, lost", "2 came twice"},
		"stored after answer":  {good + showAt(in(2, 6), "b", "1"), mayLose, "doubled", "1 came twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := referee.NewLedger(0)
			for i, topic := range []event.Topic{"a", "b", "a", "b", "a", "b"} {
				l.Add(topic, min(i, 4))
			}
			l.Acknowledge(0, at(2))
			l.Acknowledge(1, at(3))
			l.Refuse(3)
			l.Acknowledge(4, at(5))
			listeners := []*referee.Listener{play(t, l, "listener 0", c.stream), play(t, l, "listener 1", good)}
			expectVerdict(t, referee.Judge(l, listeners, c.allowed), c.kind, c.words)
		})
	}
}

// What the store still has when all is over is nothing that it lost; but it may
// get too old before others come.
func TestJudgeOfWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{true, false} {
		l := referee.NewLedger(0)
		l.Add("a", 0)
		l.Acknowledge(0, at(2))
		told, left := play(t, l, "told", gap(3, "a")), play(t, l, "left", show(2, "a", "0"))
		left.Late = late
		kind, words := "", ""
		if late {
			kind, words = "lost", "the store has it"
		}
		expectVerdict(t, referee.Judge(l, []*referee.Listener{told, left}, referee.Gaps{"a": referee.MayLose}), kind, words)
	}
	for age, words := range map[time.Duration]string{time.Hour: "", 200 * 365 * 24 * time.Hour: "the store has it"} {
		l := referee.NewLedger(0)
		l.KeepFor(age)
		l.Add("a", 0)
		l.Acknowledge(0, at(2)) // in 1970
		told := play(t, l, "told", strings.Replace(trimmed(1, 2, "a"), "trimmed", "expired", 1))
		left := play(t, l, "left", show(2, "a", "0"))
		left.Late = true
		kind := ""
		if words != "" {
			kind = "lost"
		}
		expectVerdict(t, referee.Judge(l, []*referee.Listener{told, left}, referee.Gaps{"a": referee.MayLose}), kind, words)
	}
}

// Of a stream's messages nobody knows the places at first.
func TestJudgeOfStored(t *testing.T) {
	t.Parallel()
	l := referee.NewLedger(0)
	for range 3 {
		number, _ := l.Add("a", 0)
		l.Stored(number)
	}
	for _, c := range []struct{ stream, kind, words string }{
		{show(2, "a", "0") + show(3, "a", "1") + show(4, "a", "2"), "", ""},
		{show(2, "a", "0") + show(3, "a", "2") + show(4, "a", "1"), "disordered", "2 stands at"},
		{show(2, "a", "0") + show(3, "a", "1"), "lost", "2 of a at 3-0 of epoch 1 (acknowledged) never came"},
		{"", "lost", "0 of a"},
	} {
		expectVerdict(t, referee.Judge(l, []*referee.Listener{play(t, l, "x", c.stream)}, nil), c.kind, c.words)
	}
}

func TestJudgeOfPublishers(t *testing.T) {
	t.Parallel()
	l := referee.NewLedger(10)
	l.Add("a", 7)
	l.Add("b", 7)
	l.Acknowledge(0, at(3))
	l.Acknowledge(1, at(2))
	l.Complain("an answer in French")
	l.Took(time.Second)
	v := referee.Judge(l, nil, nil)
	expectVerdict(t, v, "other, disordered", "French")
	expectVerdict(t, v, "other, disordered", "1 stands at 2-0 of epoch 1, not behind 0 at 3-0 of epoch 1")
	if tally := l.Tally(); tally != (referee.Tally{Acknowledged: 2}) || l.Slowest() != time.Second {
		t.Errorf("got %+v, %v", tally, l.Slowest())
	}
}

// Of two servers that take writes the one that gives way has an order of its
// own.
func TestJudgeOfTwoServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ids         []string // that the publisher gets
		left        string   // what the store has left
		kind, words string
	}{
		{[]string{in(2, 5), in(1, 6), in(1, 7), in(2, 6)}, showAt(in(2, 5), "a", "0") + showAt(in(2, 6), "a", "3"), "", ""},
		{[]string{in(2, 5), in(1, 7), in(1, 6), in(2, 6)}, showAt(in(2, 5), "a", "0") + showAt(in(2, 6), "a", "3"), "disordered", "2 stands at"},
		{[]string{in(2, 6), in(1, 6), in(1, 7), in(2, 5)}, showAt(in(2, 5), "a", "3") + showAt(in(2, 6), "a", "0"), "disordered", "3 stands at"},
		{[]string{in(2, 5), in(1, 3), in(1, 7), in(2, 6)}, showAt(in(1, 3), "a", "1") + showAt(in(2, 5), "a", "0") + showAt(in(2, 6), "a", "3"), "disordered", "1 stands at"},
	} {
		l := referee.NewLedger(0)
		for _, id := range c.ids {
			number, _ := l.Add("a", 0)
			l.Acknowledge(number, id)
		}
		left := play(t, l, "left", c.left+gap(9, "a"))
		left.Late = true
		v := referee.Judge(l, []*referee.Listener{left}, referee.Gaps{"a": referee.MayLose})
		expectVerdict(t, v, c.kind, c.words)
	}
}

// A gap of the later epoch speaks of what the former one had beyond it, and of
// nothing that came before the later one.
func TestJudgeOfOverlappingEpochs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lost, stream, kind, words string }{
		{in(1, 9), showAt(in(2, 5), "a", "0") + gapAt(in(2, 6), "a"), "", ""},
		{in(1, 9), showAt(in(2, 5), "a", "0") + gapAt(in(1, 6), "a"), "lost, false gaps", "1 of a"},
		{in(2, 9), showAt(in(2, 5), "a", "0") + gapAt(in(2, 6), "a"), "lost, false gaps", "1 of a"},
		{in(1, 9), showAt(in(2, 10), "a", "0") + gapAt(in(2, 6), "a"), "lost, false gaps", "1 of a"},
	} {
		l := referee.NewLedger(0)
		for i := range 2 {
			l.Add("a", i)
		}
		l.Acknowledge(1, c.lost)
		v := referee.Judge(l, []*referee.Listener{play(t, l, "x", c.stream)}, referee.Gaps{"a": referee.MayLose})
		expectVerdict(t, v, c.kind, c.words)
	}
}

// Thousands of listeners and publishes are no burden.
func TestJudgeOfMany(t *testing.T) {
	t.Parallel()
	const topics, publishes, listeners = 20, 100_000, 5000
	l := referee.NewLedger(0)
	name := func(i int) event.Topic { return event.Topic(fmt.Sprint("t.", i%topics)) }
	for i := range publishes {
		l.Add(name(i), 0)
		l.Acknowledge(i, at(uint64(i+2)))
	}
	var all []*referee.Listener
	for i := range listeners {
		x, err := referee.NewListener(l, fmt.Sprint(i), at(publishes), name(i))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	began := time.Now()
	v := referee.Judge(l, all, nil)
	// The last publish is the only one behind their start.
	if v.Lost != listeners/topics {
		t.Errorf("%d lost", v.Lost)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}
