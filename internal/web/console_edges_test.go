package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/page"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
)

// Numbers at the edges of what a number can be break no tile, and prices that
// are very small, or strings, keep their digits.
func pageBearsNumbers(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL + "/?topic=q")
	s.awaitState("open")
	var notes []note
	for _, q := range [...]string{`"A","price":1.7e308`, `"A","price":-1.7e308`, `"B","price":1e400`, `"C","price":-0`,
		`"D","price":8.12e-06`, `"E","price":"187.20"`, `"F","price":"0x10"`, `"G","price":null`, `"H","price":true`,
		`"I","price":1.5E+3`, `"__proto__","price":1`} {
		notes = append(notes, note{Topic: "q", Event: "quote", Data: json.RawMessage(`{"symbol":` + q + `}`)})
	}
	s.publish(node, notes...)
	s.awaitRows(len(notes))
	s.tab.Wait(`document.querySelectorAll('.tile').length === 6`, `document.body.innerText`)
	var got []string
	for _, t := range s.tiles() {
		got = append(got, t.Symbol+" "+t.Price)
	}
	want := []string{"A -1.7e+308", "C 0.00", "D 0.00000812", "E 187.20", "I 1500.00", "__proto__ 1.00"}
	if !slices.Equal(got, want) {
		s.Errorf("got %q, want %q", got, want)
	}
	s.silent()
}

// What other pages of the origin have stored is none of the page's business,
// and a setting that it does not know counts as none.
func pageBearsSettings(s *scene) {
	node := s.start(nodetest.Options{})
	browser.Eval[bool](s.tab, `localStorage.language = 'zh', localStorage.theme = 'dark',
		localStorage['tickertape.language'] = '__proto__', localStorage['tickertape.theme'] = 'pink', true`)
	s.tab.Open(node.URL + "/?topic=news")
	s.awaitState("open")
	if state := s.text("#state"); state != "Connected" {
		s.Errorf("the page says %s", state)
	}
	if pressed := browser.Eval[string](s.tab, `document.querySelector('#theme').ariaPressed`); pressed != "false" {
		s.Error("the page is dark")
	}
	s.quiet()
}

// The feed keeps what it shows of a large event, not all of it.
func pageKeepsLittle(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL + "/?topic=news")
	s.awaitState("open")
	s.tab.Click("#pause")
	large := slices.Repeat([]note{{Topic: "news", Data: strings.Repeat("x", 200_000)}}, 20)
	for range 10 {
		ids := s.publish(node, large...)
		s.awaitCursor(ids[len(ids)-1])
	}
	browser.Call(s.tab, heapprofiler.CollectGarbage, cdp.Empty{})
	if used := browser.Eval[int](s.tab, `performance.memory.usedJSHeapSize`); used > 15<<20 {
		s.Errorf("the page keeps %d bytes", used)
	}
	s.silent()
}

// Two hubs of one origin, each under a path of its own, are two to the page.
func pageTellsHubsApart(s *scene) {
	mux := http.NewServeMux()
	for _, path := range [...]string{"/a", "/b"} {
		node := nodetest.Start(s, nodetest.Options{})
		target, _ := url.Parse(node.URL) // cannot fail
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.FlushInterval = -1
		mux.Handle(path+"/", http.StripPrefix(path, proxy))
		s.publish(node, note{Topic: "news", Data: "of " + path})
	}
	server := httptest.NewServer(mux)
	s.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	for _, path := range [...]string{"/a", "/b"} {
		s.tab.Open(server.URL + path + "/")
		s.awaitState("open")
		s.awaitData("of " + path)
		if got := s.rows(); len(got) != 1 {
			s.Errorf("%s shows %+v", path, got)
		}
	}
	s.tab.Open("about:blank")
	s.silent()
}

// A hub that cannot say which topics it has is not called quiet.
func pageSaysTrouble(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	browser.Call(s.tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		window.away = true;
		const ask = fetch;
		window.fetch = (url, ...more) => away && url.includes('/topics') ?
			Promise.resolve(Response.json({ detail: 'the store is away' }, { status: 503 })) : ask(url, ...more);`})
	s.tab.Open(node.URL)
	s.tab.Wait(`document.querySelector('#problem').innerText === 'the store is away'`, `document.body.innerText`)
	if !browser.Eval[bool](s.tab, `document.querySelector('#welcome').hidden`) {
		s.Error("the page says that the hub is quiet")
	}
	browser.Eval[bool](s.tab, `away = false, true`)
	s.tab.Wait(`document.querySelector('#problem').hidden && !document.querySelector('#welcome').hidden`, `document.body.innerText`)
	s.silent()
}
