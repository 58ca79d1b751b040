package web_test

import (
	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
	"time"
)

// With a name to remember it by, the cursor outlives the page.
func clientRemembers(s *scene) {
	node := s.start(quick)
	const options = `remember: 'feed', start: { since: 'all' }, share: false`
	old := s.publish(node, note{Topic: "news", Data: "old"})
	w := s.connect(s.tab, "", "", options, "news")
	w.awaitEvents(old)
	s.tab.Open(node.URL + "/healthz?elsewhere")
	want := s.publish(node, note{Topic: "news", Data: "missed"})
	w = s.connect(s.tab, "", "", options, "news")
	w.awaitEvents(want)
	if opened := w.notes("open"); len(opened) != 1 || !opened[0].Resumed {
		s.Errorf("opened as %+v", opened)
	}
	other := s.connect(s.tab, "", "", `remember: 'other', start: { since: 'all' }, share: false`, "news")
	other.awaitEvents(append(old, want...))

	// A page whose storage is broken forgets, and no more.
	s.tab.Open(node.URL + "/healthz?broken")
	browser.Eval[bool](s.tab, `Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('no'); } }), true`)
	w = s.connect(s.tab, "", "", options, "news")
	w.awaitEvents(append(old, want...))
	browser.Eval[bool](s.tab, `dispatchEvent(new PageTransitionEvent('pagehide')), true`)
	s.quiet()
}

// A page that leaves closes its stream; one that comes back, or wakes up, goes
// on at once.
func clientWakesUp(s *scene) {
	node := s.start(nodetest.Options{Stream: stream.Options{Retry: time.Hour}})
	for i, share := range [...]string{"true", "false"} {
		w := s.connect(s.tab, "", "", "share: "+share, "news")
		w.awaitOpen()
		var want []string
		browser.Eval[bool](s.tab, `dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })), true`)
		s.until("the stream ends", func() bool { return node.Streams.Open() == 0 })
		want = append(want, s.publish(node, note{Topic: "news", Data: i})...)
		browser.Eval[bool](s.tab, `dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })), true`)
		w.awaitEvents(want)

		// The hub's advice is to come back in an hour.
		w.wait(`c.state.status === 'open'`)
		browser.Eval[bool](s.tab, `new Promise(done => setTimeout(() => done(true), 2100))`)
		node.Cut()
		w.wait(`c.state.status === 'waiting'`)
		want = append(want, s.publish(node, note{Topic: "news", Data: i})...)
		browser.Eval[bool](s.tab, `document.dispatchEvent(new Event('visibilitychange')), true`)
		w.awaitEvents(want)
		w.wait(`c.state.status === 'open'`)
		browser.Eval[bool](s.tab, w.name+`.c.close(), true`)
		s.until("the stream ends", func() bool { return node.Streams.Open() == 0 })
	}
	s.quiet()
}
