package web_test

import (
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/nodetest"
)

// badCursors are what clients may come with that lead nowhere on this node.
func badCursors(t *testing.T, good string) map[string]string {
	t.Helper()
	c, err := event.ParseCursor(good)
	if err != nil {
		t.Fatal(err)
	}
	foreign, nowhere, future, farOpened := c, c, c, c
	foreign.Epoch.Store++
	nowhere.Epoch.Number = 0
	future.Position.MS += uint64(time.Hour / time.Millisecond)
	farOpened.Position.MS += uint64(time.Hour / time.Millisecond)
	farOpened.Opened = event.Position{MS: farOpened.Position.MS + 1}
	return map[string]string{
		"garbage": "garbage", "a number": "42", "truncated": good[:len(good)-1], "lengthened": good + "A", "retyped": "1" + good, "binary": "\xff\xfe",
		"another hub's": "1763820000000-0", "foreign": foreign.String(), "nowhere": nowhere.String(), "future": future.String(), "future replay": farOpened.String(),
	}
}

// A cursor that leads nowhere is never a 400, on which a browser would give
// up, nor a full replay: the loss is said, and new events follow.
func TestBadCursors(t *testing.T) { onWriters(t, badCursorsAreSaid) }

func badCursorsAreSaid(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	good := n.publish(t, "a", "before")
	n.publish(t, "b", "before")
	for name, cursor := range badCursors(t, good) {
		t.Run(name, func(t *testing.T) {
			s := n.open(t, "?topic=a&topic=b", "Last-Event-ID: "+cursor)
			e := s.next()
			if e.Name != "hub.open" || e.ID == "" {
				t.Fatalf("the stream opens with %q", e)
			}
			said := map[string]bool{}
			var resumed string
			for range 2 {
				g, e := s.gap()
				if g.Reason != "bad_cursor" || said[g.Topic] || g.After != nil && *g.After != cursor {
					t.Errorf("gap %+v", g)
				}
				if _, err := event.ParseCursor(g.ResumedAt); err != nil || resumed != "" && e.ID != g.ResumedAt {
					t.Errorf("gap %+v with id %q", g, e.ID)
				}
				said[g.Topic], resumed = true, e.ID
			}
			if !said["a"] || !said["b"] {
				t.Errorf("gaps of %v", said)
			}
			id := n.publish(t, "a", "after "+name)
			if last := s.expect("after " + name); last.ID != id {
				t.Errorf("event %q, published as %q", last, id)
			}
			// The cursor that came with the notice is a good one.
			s = n.open(t, "?topic=a&topic=b", "Last-Event-ID: "+resumed)
			s.opened(true)
			s.expect("after " + name)
		})
	}
}

// A client that drops before it has read the notice hears it when it is back.
func TestBadCursorIsSaidUntilItIsHeard(t *testing.T) { onWriters(t, badCursorIsSaidUntilItIsHeard) }

func badCursorIsSaidUntilItIsHeard(t *testing.T, o nodetest.Options) {
	n := startNode(t, o)
	good := n.publish(t, "a", "before")
	for name, cursor := range badCursors(t, good) {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				s := n.open(t, "?topic=a", "Last-Event-ID: "+cursor)
				if e := s.next(); e.Name != "hub.open" || e.ID == "" {
					t.Fatalf("the stream opens with %q", e)
				}
				cursor = s.close()
			}
			s := n.open(t, "?topic=a", "Last-Event-ID: "+cursor)
			s.next()
			if g, e := s.gap(); g.Reason != "bad_cursor" || e.ID != g.ResumedAt {
				t.Errorf("gap %+v with id %q", g, e.ID)
			}
		})
	}
}

// A cursor of this store, but of a life that nobody remembers, gets all that
// there is now.
func TestCursorOfALostEpoch(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	c, err := event.ParseCursor(n.publish(t, "a", "kept"))
	if err != nil {
		t.Fatal(err)
	}
	c.Epoch.Nonce++
	s := n.open(t, "?topic=a", "Last-Event-ID: "+c.String())
	s.next()
	if g, _ := s.gap(); g.Reason != "store_lost" || g.Topic != "a" || g.After == nil || *g.After != c.String() {
		t.Errorf("gap %+v", g)
	}
	s.expect("kept")
}

// The events between a cursor and the oldest that is kept are said to be lost
// before anything else comes.
func TestTrimmedEventsAreSaid(t *testing.T) { onWriters(t, trimmedEventsAreSaid) }

func trimmedEventsAreSaid(t *testing.T, o nodetest.Options) {
	o.Bus.Retention.Messages = 3
	o.Hub.LogLinger, o.Hub.PageLife = time.Hour, time.Hour
	n := startNode(t, o)
	first := n.publish(t, "a", "0")
	lost := ""
	for _, data := range []string{"1", "2", "3", "4", "5"} {
		id := n.publish(t, "a", data)
		if data == "2" {
			lost = id
		}
	}
	s := n.open(t, "?topic=a", "Last-Event-ID: "+first)
	s.opened(true)
	g, e := s.gap()
	if g.Reason != "trimmed" || g.Topic != "a" || g.After == nil || *g.After != first || g.ResumedAt != lost || e.ID != lost {
		t.Errorf("gap %+v with id %q; want it behind %q up to %q", g, e.ID, first, lost)
	}
	s.expect("3", "4", "5")
	// Who asks for all that is kept did not lose anything.
	s = n.open(t, "?topic=a&since=all")
	s.opened(false)
	s.expect("3", "4", "5")
	s = n.open(t, "?topic=a", "Last-Event-ID: "+lost)
	s.opened(true)
	s.expect("3", "4", "5")
}
