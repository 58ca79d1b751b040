package web_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
)

// A client that was cut off before it had any event comes back to what was
// published while it was away.
func cutBeforeFirstEvent(s *scene) {
	node := s.start(nodetest.Options{Stream: stream.Options{Retry: 2 * time.Second}})
	source := s.tab.Listen("/events?topic=news")
	source.Await("hub.open", 1)
	node.Cut()
	s.until("the stream ends", func() bool { return node.Streams.Open() == 0 })
	want := s.publish(node, note{Topic: "news", Data: "missed 1"}, note{Topic: "news", Data: "missed 2"})
	if node.Streams.Open() > 0 {
		s.Fatal("the client came back too early for this test")
	}
	opened := source.Await("hub.open", 2)
	if opened[1].Data != `{"resumed":true}` {
		s.Errorf("came back with %s", opened[1].Data)
	}
	want = append(want, s.publish(node, note{Topic: "news", Data: "live"})...)
	source.AwaitData("live")
	got := source.Events("message")
	if !slices.Equal(ids(got), want) || got[0].Data != "missed 1" || got[1].Data != "missed 2" {
		s.Errorf("got %s\nwant %v", brief(got), want)
	}
	if gaps := source.Events("hub.gap"); len(gaps) > 0 {
		s.Errorf("gaps: %s", brief(gaps))
	}
	s.quiet()
}

// However often a client is cut off, what it gets is complete, once and in
// order.
func cutAgainAndAgain(s *scene) {
	const cuts = 6
	node := s.start(quick)
	source := s.tab.Listen("/events?topic=news")
	source.Await("hub.open", 1)
	stop := make(chan struct{})
	var published int
	var publishing sync.WaitGroup
	publishing.Go(func() { published = s.publishUntil(stop, node) })
	for i := range cuts {
		source.Await("hub.open", i+1)
		before := len(source.Events("message"))
		source.Await("message", before+20)
		node.Cut()
	}
	source.Await("hub.open", cuts+1)
	close(stop)
	publishing.Wait()
	if published == 0 {
		s.Fatal("nothing published")
	}
	source.AwaitData(strconv.Itoa(published - 1))
	got := source.Events("message")
	for i, r := range got {
		if r.Data != strconv.Itoa(i) {
			s.Fatalf("event %d of %d is %s", i, published, r.Data)
		}
	}
	if len(got) != published {
		s.Errorf("%d events of %d", len(got), published)
	}
	s.checkRising(got)
	if gaps := source.Events("hub.gap"); len(gaps) > 0 {
		s.Errorf("gaps: %s", brief(gaps))
	}
	s.quiet()
}

// publishUntil publishes 0, 1, 2 … and returns how many. Its own requests are
// cut off too, with an unknown outcome: the same key makes repeating them
// safe.
func (s *scene) publishUntil(stop <-chan struct{}, node *nodetest.Node) int {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		m := note{Topic: "news", Data: strconv.Itoa(n)}
		for tries := 1; ; tries++ {
			err := post(s.T, node.URL+"/publish", "message "+m.Data.(string), m, &struct{}{})
			if err == nil {
				break
			}
			if tries == 10 {
				s.Errorf("publish %d: %v", n, err)
				return n
			}
		}
		select {
		case <-stop:
			return n + 1
		case <-tick.C:
		}
	}
}

// A hub that begins anew, with nothing of what it had, says so to those who
// come back; then new events flow.
func restart(s *scene) {
	node := s.start(quick)
	source := s.tab.Listen("/events?topic=news&topic=quotes.IBM")
	source.Await("hub.open", 1)
	s.publish(node, note{Topic: "news", Data: "before"})
	source.AwaitData("before")
	s.checkRestart(node, source)
}

func restartBeforeAnyEvent(s *scene) {
	node := s.start(quick)
	source := s.tab.Listen("/events?topic=news&topic=quotes.IBM")
	source.Await("hub.open", 1)
	s.checkRestart(node, source)
}

func (s *scene) checkRestart(node *nodetest.Node, source *browser.Source) {
	s.Helper()
	node.Stop()
	again := quick
	again.Addr = node.Addr
	node = nodetest.Start(s, again)
	want := s.publish(node, note{Topic: "news", Data: "after 1"})
	source.AwaitData("after 1")
	source.Await("hub.open", 2)
	want = append(want, s.publish(node, note{Topic: "quotes.IBM", Data: "after 2"})...)
	source.AwaitData("after 2")
	var gaps, got []string
	for _, r := range source.Events("hub.gap", "message") {
		switch {
		case r.Data == "before":
		case r.Type == "message":
			got = append(got, r.ID)
		case len(got) > 0:
			s.Errorf("a gap behind new events: %s", r.Data)
		default:
			var gap struct{ Topic, Reason string }
			if err := json.Unmarshal([]byte(r.Data), &gap); err != nil {
				s.Fatal(err)
			}
			gaps = append(gaps, gap.Topic+" "+gap.Reason)
		}
	}
	slices.Sort(gaps)
	if !slices.Equal(gaps, []string{"news store_lost", "quotes.IBM store_lost"}) {
		s.Errorf("gaps %q", gaps)
	}
	if !slices.Equal(got, want) {
		s.Errorf("after the restart came %q, want %q", got, want)
	}
	s.quiet()
}
