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

// at returns a cursor of the first epoch.
func at(ms uint64) string {
	return event.Cursor{Epoch: event.Epoch{Store: 1, Number: 1}, Position: event.Position{MS: ms}}.String()
}

// show returns a block of a stream that shows an event.
func show(ms uint64, topic, text string) string {
	return fmt.Sprintf("id: %s\ndata: {\"topic\":%q,\"id\":%q,\"data\":%q}\n\n", at(ms), topic, at(ms), text)
}

// gap returns a block that tells of a gap up to there.
func gap(ms uint64, topic string) string {
	return fmt.Sprintf("id: %s\nevent: hub.gap\ndata: {\"topic\":%q,\"reason\":\"store_lost\",\"after\":null,\"resumed_at\":%q}\n\n", at(ms), topic, at(ms))
}

// judge plays each listener its stream, and returns what is wrong with it.
func judge(t *testing.T, l *referee.Ledger, allowed referee.Gaps, streams ...string) string {
	t.Helper()
	var listeners []*referee.Listener
	for i, stream := range streams {
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
		x, err := referee.Listen(c, l, fmt.Sprintf("listener %d", i), at(1), "a", "b")
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
		listeners = append(listeners, x)
	}
	return strings.Join(referee.Judge(l, listeners, allowed), "; ")
}

func TestJudge(t *testing.T) {
	t.Parallel()
	good := show(2, "a", "0") + show(3, "b", "1") + show(5, "a", "4")
	for name, c := range map[string]struct {
		stream  string
		allowed referee.Gaps
		want    string
	}{
		"all is well":        {good, nil, ""},
		"the unknown comes":  {show(2, "a", "0") + show(3, "b", "1") + show(4, "a", "2") + show(5, "a", "4"), nil, "listener 1: 2 of a"},
		"one is missing":     {show(2, "a", "0") + show(5, "a", "4"), nil, "1 of b at 3-0 (acknowledged) never came"},
		"one comes twice":    {good + show(6, "a", "0"), nil, "0 came twice"},
		"out of order":       {show(3, "b", "1") + show(2, "a", "0") + show(5, "a", "4"), nil, "0 came at"},
		"never published":    {good + show(6, "a", "77"), nil, "nobody published it"},
		"forged":             {good + show(6, "a", "00"), nil, "nobody published it"},
		"refused":            {show(2, "a", "0") + show(3, "b", "1") + show(4, "b", "3") + show(5, "a", "4"), nil, "told that it is not stored"},
		"another topic":      {show(2, "b", "0") + show(3, "b", "1") + show(5, "a", "4"), nil, "came of b and was published to a"},
		"another id":         {show(2, "a", "0") + show(4, "b", "1") + show(5, "a", "4"), nil, "for others it stands at"},
		"a gap for nothing":  {good + gap(6, "a"), nil, "where nothing is missing"},
		"still for nothing":  {show(2, "a", "0") + show(3, "b", "1") + gap(4, "b") + show(5, "a", "4"), referee.Gaps{"b": referee.MayLose}, "where nothing is missing"},
		"a gap for a loss":   {show(2, "a", "0") + gap(4, "b") + show(5, "a", "4"), referee.Gaps{"b": referee.MustLose}, "listener 1: was told of no gap of b"},
		"a loss without gap": {show(2, "a", "0") + show(5, "a", "4"), referee.Gaps{"b": referee.MayLose}, "told of a gap: false"},
		"a gap too short":    {show(2, "a", "0") + gap(2, "b") + show(5, "a", "4"), referee.Gaps{"b": referee.MayLose}, "told of a gap: false"},
		"behind the gap":     {show(2, "a", "0") + gap(4, "b") + show(3, "b", "1") + show(5, "a", "4"), referee.Gaps{"b": referee.MayLose}, "behind a gap that reaches"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := referee.NewLedger(0)
			for i, topic := range []event.Topic{"a", "b", "a", "b", "a"} {
				l.Add(topic, i)
			}
			l.Acknowledge(0, at(2))
			l.Acknowledge(1, at(3))
			l.Refuse(3)
			l.Acknowledge(4, at(5))
			if got := judge(t, l, c.allowed, c.stream, good); !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
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
	got := strings.Join(referee.Judge(l, nil, nil), "; ")
	if !strings.Contains(got, "French") || !strings.Contains(got, "1 stands at 2-0, not behind 0 at 3-0") {
		t.Errorf("got %q", got)
	}
	if tally := l.Tally(); tally != (referee.Tally{Acknowledged: 2}) || l.Slowest() != time.Second {
		t.Errorf("got %+v, %v", tally, l.Slowest())
	}
}
