package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// door stands between a page and a node; it may answer in its place.
type door struct {
	*httptest.Server
	refuse atomic.Int64 // the status of all answers to /events; 0: the node's own

	mu    sync.Mutex
	asked []*http.Request // for /events
}

func (s *scene) door(node *nodetest.Node) *door {
	target, _ := url.Parse(node.URL) // cannot fail
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	d := &door{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			d.mu.Lock()
			d.asked = append(d.asked, r)
			d.mu.Unlock()
			if status := d.refuse.Load(); status != 0 {
				w.WriteHeader(int(status))
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	s.Cleanup(func() { d.CloseClientConnections(); d.Close() })
	return d
}

func (d *door) requests() []*http.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
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

// What a callback throws is reported, and does not harm the stream.
func clientBearsCallbacks(s *scene) {
	node := s.start(quick)
	w := s.connect(s.tab, "", "", `start: { last: 5 },
		onEvent: e => { note('event', e); throw new Error('thrown ' + e.data); },
		onState: s => { note('', s); throw new Error('thrown in ' + s.status); }`, "news")
	w.awaitOpen()
	want := s.publish(node, note{Topic: "news", Data: 1}, note{Topic: "news", Data: 2})
	w.awaitEvents(want)
	text := fmt.Sprint(s.tab.Complaints("network"))
	for _, thrown := range [...]string{"thrown in connecting", "thrown in open", "thrown 1", "thrown 2"} {
		if !strings.Contains(text, thrown) {
			s.Errorf("not reported: %s; only %s", thrown, text)
		}
	}
	// Closing in a callback is the last that happens.
	w = s.connect(s.tab, "", "", `onEvent: e => { note('event', e); log.c.close(); }`, "news")
	w.awaitOpen()
	last := s.publish(node, note{Topic: "news", Data: 3}, note{Topic: "news", Data: 4})
	w.awaitEvents(last[:1])
	w.wait(`c.state.status === 'closed'`)
	cursor, _ := json.Marshal(browser.Eval[string](s.tab, w.name+".c.cursor")) // cannot fail
	w = s.connect(s.tab, "", "", `start: { cursor: `+string(cursor)+` }`, "news")
	w.awaitEvents(last[1:])
}

// A wrong argument is said at once.
func clientChecksArguments(s *scene) {
	s.start(quick)
	errors := browser.Eval[[]string](s.tab, `import('/tickertape.js').then(({ connect }) => [
		[1, ['a']], ['ftp://x', ['a']], ['http://[', ['a']], ['/?x=1', ['a']], ['', []], ['', 'a'], ['', [1]], ['', ['']],
		['', ['a'], null], ['', ['a'], { onEvent: 1 }], ['', ['a'], { onState: {} }], ['', ['a'], { token: 'x' }],
		['', ['a'], { remember: '' }], ['', ['a'], { share: 1 }], ['', ['a'], { share: true, token() {} }],
		['', ['a'], { start: {} }], ['', ['a'], { start: { last: 0 } }], ['', ['a'], { start: { last: '3' } }],
		['', ['a'], { start: { since: 5 } }], ['', ['a'], { start: { since: 'all', last: 1 } }], ['', ['a'], { start: { cursor: '' } }],
	].map(args => {
		try { connect(...args).close(); return JSON.stringify(args); } catch (e) { return e.constructor.name; }
	}))`)
	for _, e := range errors {
		if e != "TypeError" {
			s.Errorf("got %s", e)
		}
	}
	s.quiet()
}

// A page of any origin may import the client from the hub and listen, also to
// a hub below a path.
func clientOfAnotherOrigin(s *scene) {
	node := nodetest.Start(s, quick)
	target, _ := url.Parse(node.URL) // cannot fail
	below := http.StripPrefix("/hub", httputil.NewSingleHostReverseProxy(target))
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/hub/") {
			below.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><title>elsewhere</title>`))
	}))
	s.Cleanup(func() { foreign.CloseClientConnections(); foreign.Close() })
	s.tab.Open(foreign.URL)
	far := s.connect(s.tab, node.URL, node.URL, "", "news")
	near := s.connect(s.tab, node.URL, "/hub/", "", "news")
	far.awaitOpen()
	near.awaitOpen()
	want := s.publish(node, note{Topic: "news", Data: 1})
	far.awaitEvents(want)
	near.awaitEvents(want)
	answer, err := http.Get(node.URL + "/tickertape.js")
	if err != nil {
		s.Fatal(err)
	}
	_ = answer.Body.Close()
	for name, want := range map[string]string{"Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript; charset=utf-8",
		"Cache-Control": "no-cache"} {
		if got := answer.Header.Get(name); got != want {
			s.Errorf("%s is %q", name, got)
		}
	}
	browser.Eval[bool](s.tab, fmt.Sprintf("%s.c.close(), %s.c.close(), true", far.name, near.name))
	s.quiet()
}
