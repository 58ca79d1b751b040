package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
	"tickertape/internal/redistest"
	"tickertape/internal/stream"
)

// fast makes the page's clock and timers run ten times as fast; a node whose
// signs of life come ten times as often goes with it.
const fast = `(() => {
	const [now, timer] = [Date.now, setTimeout];
	const start = now();
	Date.now = () => start + (now() - start) * 10;
	window.setTimeout = (f, ms, ...more) => timer(f, ms / 10, ...more);
	return true;
})()`

var fastNode = nodetest.Options{Stream: stream.Options{Retry: 100 * time.Millisecond, KeepAlive: 1500 * time.Millisecond}}

// A hub that begins anew, with nothing of what it had, says so.
func clientSeesRestart(s *scene) {
	node := s.start(quick)
	w := s.connect(s.tab, "", "", "", "news", "quotes.IBM")
	w.awaitOpen()
	want := s.publish(node, note{Topic: "news", Data: "before"})
	w.awaitEvents(want)
	node.Stop()
	again := quick
	again.Addr = node.Addr
	node = nodetest.Start(s, again)
	want = append(want, s.publish(node, note{Topic: "news", Data: "after"})...)
	w.awaitEvents(want)
	gaps := w.notes("gap")
	slices.SortFunc(gaps, func(a, b handed) int { return strings.Compare(a.Topic, b.Topic) })
	if len(gaps) != 2 || gaps[0].Topic != "news" || gaps[1].Topic != "quotes.IBM" || gaps[0].Reason != "store_lost" ||
		gaps[1].Reason != "store_lost" || gaps[0].Cursor == "" {
		s.Errorf("gaps %+v", gaps)
	}
	s.quiet()
}

// What ends an EventSource for good does not end the client: it tries again,
// ever less often, and goes on where it was.
func clientOutlivesRefusals(s *scene) {
	node := nodetest.Start(s, quick)
	d := s.door(node)
	s.tab.Open(d.URL + "/healthz")
	browser.Eval[bool](s.tab, fast)
	w := s.connect(s.tab, "", "", "", "news")
	w.awaitOpen()
	want := s.publish(node, note{Topic: "news", Data: 1})
	w.awaitEvents(want)
	cursor := browser.Eval[string](s.tab, w.name+".c.cursor")
	d.refuse.Store(http.StatusServiceUnavailable)
	before := len(d.requests())
	node.Cut()
	const refused = `notes.filter(n => n.reason === 'refused' && n.wait)`
	w.wait(refused + `.length >= 6`)
	want = append(want, s.publish(node, note{Topic: "news", Data: 2})...)
	d.refuse.Store(0)
	w.awaitEvents(want)
	w.awaitOpen()

	var waits []float64
	for _, h := range w.notes("waiting") {
		if h.Reason == "refused" {
			waits = append(waits, h.Wait)
		}
	}
	for i, wait := range waits {
		middle := min(20_000, 1000*float64(int(1)<<i))
		if wait < middle/2 || wait > middle*3/2 {
			s.Errorf("wait %d was %v ms, not %v ± 50 %%", i, wait, middle)
		}
	}
	asked := d.requests()[before:]
	if len(asked) < 6 || len(asked) > len(waits)+3 {
		s.Errorf("%d requests for %d waits", len(asked), len(waits))
	}
	for _, r := range asked[2:] {
		if got := r.URL.Query().Get("last_event_id"); got != cursor {
			s.Errorf("asked with the cursor %q, not %q", got, cursor)
		}
	}
	// The next time begins with a short wait again.
	d.refuse.Store(http.StatusTeapot)
	node.Cut()
	w.wait(refused + fmt.Sprintf(`.length > %d`, len(waits)))
	if next := browser.Eval[float64](s.tab, `(({ notes }) => `+refused+fmt.Sprintf(`[%d].wait)(%s)`, len(waits), w.name)); next > 1500 {
		s.Errorf("after healing the first wait was %v ms", next)
	}
	s.quiet()
}

// A connection on which nothing comes any more is given up, although the
// browser takes it for open.
func clientNoticesSilence(s *scene) {
	node := nodetest.Start(s, fastNode)
	proxy := redistest.StartProxy(s, node.Addr)
	s.tab.Open("http://" + proxy.Addr + "/healthz")
	browser.Eval[bool](s.tab, fast)
	w := s.connect(s.tab, "", "", "", "news")
	w.awaitOpen()
	proxy.Stall(redistest.Both)
	want := s.publish(node, note{Topic: "news", Data: "while it was silent"})
	w.wait(`notes.some(n => n.reason === 'silence')`)
	proxy.Resume()
	w.awaitEvents(want)
	w.awaitOpen()
	// Heartbeats are enough: no more silence from here on.
	n := len(w.notes())
	browser.Eval[bool](s.tab, `new Promise(done => setTimeout(() => done(true), 60_000))`)
	if more := w.notes()[n:]; len(more) > 0 {
		s.Errorf("a quiet stream was not left alone: %+v", more)
	}
	s.quiet()
}

// Each connection has a token of its own.
func clientRenewsToken(s *scene) {
	node := nodetest.Start(s, quick)
	d := s.door(node)
	s.tab.Open(d.URL + "/healthz")
	browser.Eval[bool](s.tab, fast)
	browser.Eval[bool](s.tab, `window.tokens = 0, true`)
	w := s.connect(s.tab, "", "", `token: async () => {
		if (++tokens === 2) throw new Error('no token today');
		return 'token ' + tokens;
	}`, "news")
	w.awaitOpen()
	want := s.publish(node, note{Topic: "news", Data: 1})
	w.awaitEvents(want)
	node.Cut()
	w.wait(`notes.some(n => n.reason === 'token')`)
	want = append(want, s.publish(node, note{Topic: "news", Data: 2})...)
	w.awaitEvents(want)
	node.Cut()
	want = append(want, s.publish(node, note{Topic: "news", Data: 3})...)
	w.awaitEvents(want)
	var got []string
	for _, r := range d.requests() {
		got = append(got, r.URL.Query().Get("access_token"))
	}
	if !slices.Equal(got, []string{"token 1", "token 3", "token 4"}) {
		s.Errorf("tokens %q", got)
	}
	if c := s.tab.Complaints("network"); len(c) != 1 || !strings.Contains(c[0].Text, "no token today") {
		s.Errorf("the console has %v", c)
	}
	if state := w.notes("open"); state[0].Shared || state[0].Leader {
		s.Errorf("a connection with a token is shared: %+v", state)
	}
}
