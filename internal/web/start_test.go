package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
)

func TestStartPoints(t *testing.T) { onWriters(t, startPoints) }

func startPoints(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	early := n.open(t, "?topic=a&topic=b")
	first := early.opened(false)
	ids := map[string]string{"start": first}
	for _, data := range []string{"a1", "b1", "a2", "b2", "a3"} {
		ids[data] = n.publish(t, data[:1], data)
	}
	early.expect("a1", "b1", "a2", "b2", "a3")
	all := []string{"a1", "b1", "a2", "b2", "a3"}
	const both = "?topic=a&topic=b"
	cases := []struct {
		query, header string
		resumed       bool
		want          []string
	}{
		{both, "", false, nil},
		{both + "&since=", "", false, nil},
		{both + "&since=all", "", false, all},
		{"?topic=b&since=all", "", false, []string{"b1", "b2"}},
		{"?topic=nothing&topic=a&since=all", "", false, []string{"a1", "a2", "a3"}},
		{both + "&since=1h", "", false, all},
		{both + "&since=2562047h", "", false, all},
		{both + "&last=1", "", false, []string{"b2", "a3"}},
		{both + "&last=2", "", false, []string{"b1", "a2", "b2", "a3"}},
		{both + "&last=10000", "", false, all},
		{both, ids["start"], true, all},
		{both, ids["a2"], true, []string{"b2", "a3"}},
		{both, ids["a3"], true, nil},
		{"?topic=b", ids["a1"], true, []string{"b1", "b2"}}, // the topics may change
		{both + "&last_event_id=" + ids["b1"], "", true, []string{"a2", "b2", "a3"}},
		{both + "&lastEventId=" + ids["b1"], "", true, []string{"a2", "b2", "a3"}},
		{both + "&lastEventID=" + ids["b1"], "", true, []string{"a2", "b2", "a3"}},
		{both + "&lastEventID=" + ids["a3"] + "&lastEventId=" + ids["b2"] + "&last_event_id=" + ids["b1"], "", true, []string{"a2", "b2", "a3"}},
		{both + "&last_event_id=&lastEventId=" + ids["b2"], "", true, []string{"a3"}},
		{both + "&last_event_id=" + ids["start"], ids["b2"], true, []string{"a3"}},
		{both + "&since=all", ids["b2"], true, []string{"a3"}},
		{both + "&last=2&lastEventId=" + ids["b2"], "", true, []string{"a3"}},
	}
	streams := make([]*listener, len(cases))
	for i, c := range cases {
		var header []string
		if c.header != "" {
			header = []string{"Last-Event-ID: " + c.header}
		}
		streams[i] = n.open(t, c.query, header...)
		streams[i].opened(c.resumed)
	}
	n.publish(t, "a", "live a")
	n.publish(t, "b", "live b")
	for i, c := range cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			streams[i].t = t
			want := slices.Clone(c.want)
			for _, topic := range []string{"a", "b"} {
				if strings.Contains(c.query, "topic="+topic) {
					want = append(want, "live "+topic)
				}
			}
			streams[i].expect(want...)
		})
	}
}

// A duration counts back from the store's now.
func TestStartSinceDuration(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Bus: membus.Options{Beat: 10 * time.Millisecond}})
	n.publish(t, "news", "old")
	published := time.Now()
	n.awaitClock(t, published.Add(time.Second))
	n.publish(t, "news", "new")
	since := time.Since(published) - time.Second/2
	s := n.open(t, "?topic=news&since="+since.String())
	s.opened(false)
	s.expect("new")
}

func (n *node) awaitClock(t *testing.T, until time.Time) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		clock, err := n.Bus.Clock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if clock.Position.Time().After(until) {
			return
		}
		<-tick.C
	}
}

// A client that drops in the middle of what it asked to begin with goes on
// there: nothing comes twice, nothing is missing, nothing is called lost.
func TestReturnInTheMiddleOfAReplay(t *testing.T) { onWriters(t, returnInTheMiddleOfAReplay) }

func returnInTheMiddleOfAReplay(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	for i, c := range []struct {
		start string
		want  []string
	}{
		{"last=1", []string{"3", "6"}}, // b's last one lies before others of a that nobody asked for
		{"last=2", []string{"0", "3", "5", "6"}},
		{"last=3", []string{"0", "3", "4", "5", "6"}},
		{"last=100", []string{"0", "1", "2", "3", "4", "5", "6"}},
		{"since=all", []string{"0", "1", "2", "3", "4", "5", "6"}},
		{"since=1h", []string{"0", "1", "2", "3", "4", "5", "6"}},
	} {
		for cut := range len(c.want) + 1 {
			t.Run(fmt.Sprintf("%s, cut behind %d", c.start, cut), func(t *testing.T) {
				t.Parallel()
				a, b := fmt.Sprintf("a.%d.%d", i, cut), fmt.Sprintf("b.%d.%d", i, cut)
				query := "?topic=" + a + "&topic=" + b + "&" + c.start
				for i, topic := range []string{b, a, a, b, a, a, a} {
					n.publish(t, topic, fmt.Sprint(i))
				}
				first := n.open(t, query)
				first.opened(false)
				first.expect(c.want[:cut]...)
				n.publish(t, b, "late")
				second := n.open(t, query, "Last-Event-ID: "+first.close())
				second.opened(true)
				second.expect(append(slices.Clone(c.want[cut:]), "late")...)
				third := n.open(t, query, "Last-Event-ID: "+second.close())
				third.opened(true)
				n.publish(t, a, "live")
				third.expect("live")
			})
		}
	}
}

// One that drops after every single event gets there too.
func TestReturnAfterEveryEventOfAReplay(t *testing.T) { onWriters(t, returnAfterEveryEventOfAReplay) }

func returnAfterEveryEventOfAReplay(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	for i := range 10 {
		n.publish(t, []string{"a", "b"}[i%2], fmt.Sprint(i))
	}
	for query, first := range map[string]int{"?topic=a&topic=b&last=3": 4, "?topic=a&topic=b&since=all": 0} {
		s := n.open(t, query)
		s.opened(false)
		for want := first; want < 10; want++ {
			if _, err := event.ParseCursor(s.events.LastID()); err != nil {
				t.Fatalf("%q is no cursor", s.events.LastID())
			}
			s = n.open(t, query, "Last-Event-ID: "+s.close())
			s.opened(true)
			s.expect(fmt.Sprint(want))
		}
	}
}
