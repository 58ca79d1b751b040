package web_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
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
