package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
)

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
		['', ['a'], null], ['', ['a'], { onEvent: 1 }], ['', ['a'], { onEvents() {} }], ['', ['a'], { onState: {} }], ['', ['a'], { onEnd: true }], ['', ['a'], { token: 'x' }],
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
