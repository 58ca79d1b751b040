package web_test

import (
	"fmt"
	"strconv"
	"sync"
	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
	"time"

	"github.com/chromedp/cdproto/page"
)

// When the tab that leads goes, by closing or to another page, one that
// follows goes on, with nothing lost and nothing twice.
func clientTakesLead(s *scene) {
	node := s.start(quick)
	tabs := []*browser.Tab{s.beside(node), s.beside(node), s.beside(node), s.beside(node)}
	var all []*watched
	for i, tab := range tabs {
		w := s.connect(tab, "", "", "", "news")
		w.awaitRole(map[bool]string{true: "leads", false: "follows"}[i == 0])
		all = append(all, w)
	}
	var want []string
	publish := func() {
		for i := range 10 {
			want = append(want, s.publish(node, note{Topic: "news", Data: i})...)
		}
	}
	for i, leave := range []func(){
		func() { tabs[0].Close() },
		func() { tabs[1].Open("about:blank") },
		func() { browser.Eval[bool](tabs[2], all[2].name+`.c.close(), true`) },
	} {
		publish()
		for _, w := range all[i:] {
			w.awaitEvents(want)
		}
		leave()
		publish()
		for _, w := range all[i+1:] {
			w.awaitEvents(want)
		}
		all[i+1].awaitRole("leads")
		s.until("one stream is left", func() bool { return node.Streams.Open() == 1 })
	}
	s.quiet()
}

// A leader that the browser freezes lets another tab lead, and goes on from
// its place when it is thawed.
func clientFreezes(s *scene) {
	node := s.start(quick)
	a := s.connect(s.tab, "", "", "", "news")
	a.awaitRole("leads")
	b := s.connect(s.beside(node), "", "", "", "news")
	b.awaitRole("follows")
	freeze := func(to page.SetWebLifecycleStateState) {
		browser.Call(s.tab, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: to})
	}
	freeze(page.SetWebLifecycleStateStateFrozen)
	b.awaitRole("leads")
	want := s.publish(node, note{Topic: "news", Data: 1})
	b.awaitEvents(want)
	freeze(page.SetWebLifecycleStateStateActive)
	a.awaitEvents(want)
	a.awaitRole("follows")
	want = append(want, s.publish(node, note{Topic: "news", Data: 2})...)
	a.awaitEvents(want)
	b.awaitEvents(want)
	s.quiet()
}

// Leaders come and go while events come as fast as they can, and connections are cut.
func clientLeadsUnderLoad(s *scene) {
	node := s.start(nodetest.Options{Stream: stream.Options{Retry: 20 * time.Millisecond}})
	last := s.connect(s.beside(node), "", "", "", "news")
	last.awaitOpen()
	stop := make(chan struct{})
	var want []string
	var publishing sync.WaitGroup
	publishing.Go(func() { want = s.publishNumbers(stop, node) })
	end := sync.OnceFunc(func() { close(stop); publishing.Wait() })
	defer end()
	var tabs []*browser.Tab
	for range 3 {
		tabs = append(tabs, s.beside(node))
	}
	var others []*watched
	for i := range 9 {
		// The one who stays is the leader at first, and comes last in line later.
		tab := tabs[i%len(tabs)]
		w := s.connect(tab, "", "", "", "news")
		w.wait(`count > 0`)
		others = append(others, w)
		switch i % 3 {
		case 0:
			browser.Eval[bool](last.tab, `dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })), true`)
			w.wait(`count > 20`)
			browser.Eval[bool](last.tab, `dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })), true`)
		case 1:
			node.Cut()
		case 2:
			browser.Eval[bool](tab, others[i-2].name+`.c.close(), true`)
		}
		last.wait(`count > ` + strconv.Itoa(len(last.notes("event"))+10))
	}
	end()
	last.awaitEvents(want)
	place := map[string]int{}
	for i, id := range want {
		place[id] = i
	}
	for _, w := range others {
		if browser.Eval[string](w.tab, w.name+".c.state.status") != "closed" {
			w.wait(fmt.Sprintf(`notes.findLast(n => n.kind === 'event').id === '%s'`, want[len(want)-1]))
		}
		got := w.notes("event")
		for i := range got[1:] {
			if place[got[i+1].ID] != place[got[i].ID]+1 {
				s.Fatalf("%s: event %d follows %d", w.name, place[got[i+1].ID], place[got[i].ID])
			}
		}
	}
	s.until("one stream is left", func() bool { return node.Streams.Open() == 1 })
	s.quiet()
}

// A leader that is there but says nothing is done without; when it speaks
// again, it is followed again.
func clientMissesLeader(s *scene) {
	node := s.start(fastNode)
	a := s.connect(s.tab, "", "", "", "news")
	a.awaitRole("leads")
	tab := s.beside(node)
	browser.Eval[bool](tab, fast)
	b := s.connect(tab, "", "", "", "news")
	b.awaitRole("follows")
	// From here on the leader's tab sends nothing to the others.
	browser.Eval[bool](s.tab, `window.post = BroadcastChannel.prototype.postMessage, BroadcastChannel.prototype.postMessage = () => {}, true`)
	want := s.publish(node, note{Topic: "news", Data: 1})
	a.awaitEvents(want)
	b.awaitRole("alone")
	b.awaitEvents(want)
	b.wait(`notes.some(n => n.reason === 'no leader')`)
	browser.Eval[bool](s.tab, `BroadcastChannel.prototype.postMessage = post, true`)
	for i := range 2 {
		want = append(want, s.publish(node, note{Topic: "news", Data: i})...)
		a.awaitEvents(want)
		b.awaitEvents(want)
	}
	b.awaitRole("follows")
	s.until("one stream is left", func() bool { return node.Streams.Open() == 1 })
	s.quiet()
}
