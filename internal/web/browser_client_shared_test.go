package web_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/page"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
)

// beside opens one more tab at the node's page.
func (s *scene) beside(node *nodetest.Node) *browser.Tab {
	s.Helper()
	tab := s.tab.Beside()
	tab.Open(node.URL + "/healthz")
	return tab
}

// awaitRole waits until the connection leads, follows, or is alone.
func (w *watched) awaitRole(role string) {
	w.Helper()
	condition := map[string]string{"leads": "s.shared && s.leader", "follows": "s.shared && !s.leader", "alone": "!s.shared"}[role]
	w.wait(fmt.Sprintf(`(s => s.status === 'open' && %s)(c.state)`, condition))
}

// Two tabs have one connection, and each gets everything once, in order, and
// knows what goes on.
func clientSharesStream(s *scene) {
	node := s.start(quick)
	a := s.connect(s.tab, "", "", "", "news", "quotes.IBM")
	a.awaitRole("leads")
	b := s.connect(s.beside(node), "", "", "", "quotes.IBM", "news") // in any order
	b.awaitRole("follows")
	var want []string
	for i := range 20 {
		want = append(want, s.publish(node, note{Topic: "news", Data: i}, note{Topic: "quotes.IBM", Data: i})...)
		if i == 10 {
			a.awaitEvents(want)
			node.Cut()
		}
	}
	a.awaitEvents(want)
	b.awaitEvents(want)
	b.wait(`notes.some(n => n.kind === 'waiting' && n.reason === 'cut' && n.shared && !n.leader)`)
	b.awaitRole("follows")
	if n := node.Streams.Open(); n != 1 {
		s.Errorf("%d streams for two tabs", n)
	}
	if a, b := a.notes("event"), b.notes("event"); a[len(a)-1].Cursor != b[len(b)-1].Cursor {
		s.Errorf("cursors differ: %+v, %+v", a[len(a)-1], b[len(b)-1])
	}
	// What asks for something else is another group, and so is a name.
	other := s.connect(s.tab, "", "", `share: 'mine', token: () => 'x'`, "news", "quotes.IBM")
	other.awaitRole("leads")
	own := s.connect(s.tab, "", "", `share: false`, "news", "quotes.IBM")
	own.awaitRole("alone")
	if n := node.Streams.Open(); n != 3 {
		s.Errorf("%d streams for three groups", n)
	}
	s.quiet()
}

// A tab that joins gets what its own stream would have begun with.
func clientBeginsAsAsked(s *scene) {
	both := func(old, live []string) []string { return slices.Concat(old, live) }
	for _, c := range []struct {
		start         string
		first, joined func(old, live []string) []string
	}{
		{`undefined`, func(_, live []string) []string { return live }, func(_, _ []string) []string { return nil }},
		{`{ since: 'all' }`, both, both},
		// The newest two of a and of b: b's only old one is among them.
		{`{ last: 2 }`, func(old, live []string) []string { return slices.Concat(old[5:], live) },
			func(old, live []string) []string { return slices.Concat(old[7:], live) }},
	} {
		node := s.start(quick)
		var old []string
		for i := range 7 {
			old = append(old, s.publish(node, note{Topic: "a", Data: i})...)
		}
		old = append(old, s.publish(node, note{Topic: "b", Data: "old"})...)
		a := s.connect(s.tab, "", "", "start: "+c.start, "a", "b")
		a.awaitRole("leads")
		live := s.publish(node, note{Topic: "a", Data: "x"}, note{Topic: "a", Data: "y"}, note{Topic: "b", Data: "z"})
		a.awaitEvents(c.first(old, live))
		b := s.connect(s.beside(node), "", "", "start: "+c.start, "a", "b")
		b.awaitRole("follows")
		b.awaitEvents(c.joined(old, live))
		if n := node.Streams.Open(); n != 1 {
			s.Errorf("%s: %d streams", c.start, n)
		}
		last := s.publish(node, note{Topic: "b", Data: "last"})
		a.awaitEvents(slices.Concat(c.first(old, live), last))
		b.awaitEvents(slices.Concat(c.joined(old, live), last))
	}
	s.quiet()
}

// A leader keeps only so much text for those who join. Who asks for more has a
// stream of its own until the next event.
func clientKeepsLittle(s *scene) {
	node := s.start(quick)
	const options = `start: { last: 100 }, onEvent: e => log.notes.push({ kind: 'event', id: e.id }) && log.count++`
	a := s.connect(s.tab, "", "", options, "news")
	a.awaitRole("leads")
	var want []string
	large := slices.Repeat([]note{{Topic: "news", Data: strings.Repeat("x", 150_000)}}, 20)
	for range 5 {
		want = append(want, s.publish(node, large...)...)
	}
	a.awaitEvents(want)
	browser.Call(s.tab, heapprofiler.CollectGarbage, cdp.Empty{})
	if used := browser.Eval[int](s.tab, `performance.memory.usedJSHeapSize`); used > 8<<20 {
		s.Errorf("the leader keeps %d bytes", used)
	}
	b := s.connect(s.beside(node), "", "", options, "news")
	b.awaitEvents(want)
	want = append(want, s.publish(node, note{Topic: "news", Data: 1})...)
	a.awaitEvents(want)
	b.awaitEvents(want)
	want = append(want, s.publish(node, note{Topic: "news", Data: 2})...)
	b.awaitEvents(want)
	b.awaitRole("follows")
	s.quiet()
}

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

// A tab that the leader cannot help has a connection of its own until the two
// stand at the same place.
func clientPartsAndRejoins(s *scene) {
	node := s.start(quick)
	old := s.publish(node, note{Topic: "news", Data: "old"}, note{Topic: "news", Data: "older than the leader"})
	a := s.connect(s.tab, "", "", "", "news")
	a.awaitRole("leads")
	b := s.connect(s.beside(node), "", "", fmt.Sprintf(`start: { cursor: '%s' }`, old[0]), "news")
	b.awaitRole("alone")
	b.awaitEvents(old[1:])
	if n := node.Streams.Open(); n != 2 {
		s.Errorf("%d streams", n)
	}
	want := s.publish(node, note{Topic: "news", Data: 1})
	a.awaitEvents(want)
	b.awaitEvents(append(old[1:2:2], want...))
	want = append(want, s.publish(node, note{Topic: "news", Data: 2})...)
	b.awaitRole("follows")
	s.until("one stream is left", func() bool { return node.Streams.Open() == 1 })
	want = append(want, s.publish(node, note{Topic: "news", Data: 3})...)
	a.awaitEvents(want)
	b.awaitEvents(append(old[1:2:2], want...))
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
