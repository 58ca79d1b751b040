package web_test

import (
	"fmt"
	"net/http"
	"slices"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
)

// end ends a topic and returns the end's id.
func (s *scene) end(node *nodetest.Node, topic, status string) string {
	s.Helper()
	var answer struct{ ID string }
	if err := post(s.T, node.URL+"/topics/"+topic+"/end", "", map[string]string{"status": status}, &answer); err != nil {
		s.Fatal(err)
	}
	return answer.ID
}

// count returns how many answers had the status.
func (s *scene) count(status int) (n int) {
	for _, got := range s.tab.Statuses() {
		if got == status {
			n++
		}
	}
	return n
}

// A browser's own EventSource gets the end, comes back once, and is told to
// stay away; so is one that comes to a node which knows nothing of the topic.
func streamEndsForGood(s *scene) {
	node := s.start(quick)
	old := s.publish(node, note{Topic: "late", Data: "1"})[0]
	late := s.end(node, "late", "cancelled")
	source := s.tab.Listen("/events?topic=news&since=all", "hub.end")
	source.Await("hub.open", 1)
	s.publish(node, note{Topic: "news", Data: "bye"})
	want := browser.Received{Type: "hub.end", ID: s.end(node, "news", "failed"), Data: `{"topic":"news","status":"failed"}`}
	if got := source.Await("hub.end", 1); got[0] != want {
		s.Errorf("got %+v, want %+v", got[0], want)
	}
	s.tab.Wait(`sources[0].source.readyState === EventSource.CLOSED`)
	if n := s.count(http.StatusNoContent); n != 1 || len(source.Events("hub.open")) != 1 || len(source.Events("hub.end")) != 1 {
		s.Errorf("%d times 204, %s", n, brief(source.Events()))
	}
	source = s.tab.Listen("/events?topic=late&last_event_id="+old, "hub.end")
	s.tab.Wait(`sources[1].source.readyState === EventSource.CLOSED`)
	if got := source.Events("hub.end"); len(got) != 1 || got[0].ID != late || s.count(http.StatusNoContent) != 2 {
		s.Errorf("got %s", brief(source.Events()))
	}
	s.quiet()
}

// ends returns the ends that the page was handed.
func (w *watched) ends() (list []string) {
	w.Helper()
	for _, h := range w.notes("end") {
		if list = append(list, h.Topic+" "+h.Status); h.ID == "" || h.ID != h.Cursor {
			w.Errorf("an end came as %+v", h)
		}
	}
	return list
}

// When all topics have ended, each tab of a group has heard so, and closes.
func clientEnds(s *scene) {
	node := s.start(quick)
	const options = `remember: 'ends', start: { since: 'all' }`
	a := s.connect(s.tab, "", "", options, "a", "b")
	a.awaitRole("leads")
	b := s.connect(s.beside(node), "", "", options, "b", "a")
	b.awaitRole("follows")
	want := s.publish(node, note{Topic: "a", Data: 1}, note{Topic: "b", Data: 2})
	s.end(node, "a", "failed")
	want = append(want, s.publish(node, note{Topic: "b", Data: 3})...)
	a.awaitEvents(want)
	a.wait(`c.state.status === 'open'`)
	last := s.end(node, "b", "completed")
	ends := []string{"a failed", "b completed"}
	for _, w := range []*watched{a, b} {
		w.wait(`c.state.status === 'closed' && c.state.reason === 'ended'`)
		w.awaitEvents(want)
		if got := w.ends(); !slices.Equal(got, ends) {
			s.Errorf("%s: got %q, want %q", w.name, got, ends)
		}
		w.wait(fmt.Sprintf(`c.cursor === '%s'`, last))
	}
	s.until("no stream is open", func() bool { return node.Streams.Open() == 0 })

	// A page that comes back behind the end learns that nothing will come.
	s.tab.Open(node.URL + "/healthz?again")
	again := s.connect(s.tab, "", "", options, "a", "b")
	again.wait(`c.state.status === 'closed' && c.state.reason === 'ended'`)
	// One that begins anew gets all, and closes too.
	anew := s.connect(s.tab, "", "", `start: { since: 'all' }`, "a", "b")
	anew.wait(`c.state.status === 'closed' && c.state.reason === 'ended'`)
	anew.awaitEvents(want)
	if got := again.ends(); len(got) > 0 || !slices.Equal(anew.ends(), ends) {
		s.Errorf("again: %q, anew: %q", got, anew.ends())
	}
	s.quiet()
}

// A selector brings what is new, live and behind a cut, and does not close
// when topics end.
func clientFollowsSelectors(s *scene) {
	node := s.start(quick)
	w := s.connect(s.tab, "", "", "", "quotes.*", "news")
	w.awaitRole("leads")
	other := s.connect(s.beside(node), "", "", "", "news", "quotes.*")
	other.awaitRole("follows")
	want := s.publish(node, note{Topic: "quotes.A", Data: 1}, note{Topic: "quotes.A.b", Data: 2}, note{Topic: "news", Data: 3})
	want = slices.Delete(want, 1, 2)
	w.awaitEvents(want)
	for i := range 3 {
		node.Cut()
		want = append(want, s.publish(node, note{Topic: fmt.Sprint("quotes.", i), Data: i}, note{Topic: "quotes.A", Data: i})...)
		w.awaitEvents(want)
		w.awaitOpen()
	}
	s.end(node, "news", "completed")
	s.end(node, "quotes.A", "completed")
	want = append(want, s.publish(node, note{Topic: "quotes.B", Data: "on"})...)
	w.awaitEvents(want)
	other.awaitEvents(want)
	if got := w.ends(); len(got) != 2 || !slices.Equal(got, other.ends()) {
		s.Errorf("got the ends %q, %q", got, other.ends())
	}
	w.wait(`c.state.status === 'open'`)
	s.quiet()
}

// keeping has a page keep the newest of each key.
const keeping = `onEvent: e => { (log.table ??= {})[e.key] = e.data; if (e.data === null) delete log.table[e.key]; note('event', e); }`

// A page gets a table as it stands, then changes and deletions; a second tab
// of its group does too, and so does one that was away.
func clientKeepsTable(s *scene) {
	node := s.start(nodetest.Options{Stream: quick.Stream, Bus: rulesFor(s, "quotes.*", "latest")})
	quote := func(key string, price any) note { return note{Topic: "quotes.US", Key: key, Data: price} }
	shows := func(w *watched, table string) {
		s.Helper()
		w.tab.Wait(fmt.Sprintf(`JSON.stringify(Object.entries(%s.table ?? {}).sort()) === '%s'`, w.name, table), w.name+".table", w.name+".notes.slice(-8)", w.name+".c.state")
	}
	s.publish(node, quote("A", 1), quote("B", 2), quote("A", 3))
	first := s.connect(s.tab, "", "", keeping, "quotes.US")
	shows(first, `[["A",3],["B",2]]`)
	if n := len(first.notes("event")); n != 2 {
		s.Errorf("the table came in %d events", n)
	}
	second := s.connect(s.beside(node), "", "", keeping, "quotes.US")
	shows(second, `[["A",3],["B",2]]`)
	s.publish(node, quote("B", nil))
	shows(first, `[["A",3]]`)
	shows(second, `[["A",3]]`)
	second.awaitRole("follows")
	browser.Eval[bool](s.tab, `dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })), true`)
	for i := range 50 {
		s.publish(node, quote("A", i))
	}
	s.publish(node, quote("C", 4), quote("A", 5))
	shows(second, `[["A",5],["C",4]]`)
	browser.Eval[bool](s.tab, `dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })), true`)
	shows(first, `[["A",5],["C",4]]`)
	if gaps := append(first.notes("gap"), second.notes("gap")...); len(gaps) > 0 {
		s.Errorf("gaps: %+v", gaps)
	}
	s.quiet()
}
