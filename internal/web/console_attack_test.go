package web_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/page"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
)

// watchScripts notes what would be broken in a page by a script of a publisher's:
// the mark that it leaves, and what the page's policy has stopped.
const watchScripts = `
	window.stopped = [];
	document.addEventListener('securitypolicyviolation', e => stopped.push(e.violatedDirective + ' ' + e.blockedURI));
	window.alert = window.confirm = window.prompt = () => { window.pwned = 'by a dialog'; };`

// markup are markup, and other texts that a page could take for more than text.
var markup = [...]string{`<script>pwned=1</script>`, `</script><script>pwned=1</script>`, `</textarea></title></style></pre><img src=x onerror=pwned=1>`, `<svg onload=pwned=1>`, `<svg><script>pwned=1</script></svg>`,
	`<math><mi xlink:href="javascript:pwned=1">x</mi></math>`, `<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`, `<img src=x onerror=pwned=1>`, `<body onload=pwned=1>`, `<details open ontoggle=pwned=1>`, `<style>@import 'javascript:pwned=1'</style>`,
	`<link rel=stylesheet href=//evil.example/x.css>`, `<base href=//evil.example/>`, `<meta http-equiv=refresh content="0;url=javascript:pwned=1">`, `<form action=javascript:pwned=1><button autofocus>`, `<template><script>pwned=1</script></template>`,
	`" onmouseover="pwned=1" x="`, `' autofocus onfocus='pwned=1`, `javascript:pwned=1`, `${pwned=1}`, "`${window.pwned=1}`", `{{constructor.constructor('pwned=1')()}}`, `{n}`, `{topic}`, `__proto__`, `constructor`, `toString`,
	`<!--<script>pwned=1//-->`, `<![CDATA[<script>pwned=1</script>]]>`, "<scr\u0000ipt>pwned=1</script>", "\u202e<b>\u2066", `&lt;script&gt;pwned=1&lt;/script&gt;`, `&#60;script&#62;pwned=1&#60;/script&#62;`, `\u003cscript\u003epwned=1\u003c/script\u003e`}

// links are addresses that must not be followed from a news item.
var links = [...]string{"javascript:pwned=1", "JaVaScRiPt:pwned=1", " javascript:pwned=1", "java\tscript:pwned=1", "java\nscript:pwned=1", "\u0001javascript:pwned=1", "javascript://https://a.example/%0apwned=1", "data:text/html,<script>pwned=1</script>",
	"data:image/svg+xml,<svg onload='pwned=1'/>", "vbscript:pwned=1", "blob:null/x", "file:///etc/passwd", "view-source:javascript:pwned=1", "about:blank", "filesystem:x", "//", "https:", "%6aavascript:pwned=1"}

// Nothing that a publisher can say, in any field, is more than text on the page:
// no script runs, none is even tried, and what can be read is what was sent.
func pageBearsPublishers(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.watchScripts()
	s.tab.Open(node.URL + "/?topic=news&topic=quotes&topic=ends&topic=other")
	s.awaitState("open")
	var notes []note
	var want []string
	for _, text := range markup {
		visible := strings.ReplaceAll(text, "\x00", "")
		for _, topic := range []string{"news", "quotes", "other"} {
			object := map[string]any{"title": text, "source": text, "link": text, "symbol": text, "price": 1.5, "published": text, "name": text, text: text}
			notes = append(notes, note{Topic: topic, Event: visible, Key: visible, Data: text}, note{Topic: topic, Event: "quote", Key: visible, Data: object},
				note{Topic: topic, Event: "headline", Data: object}, note{Topic: topic, Event: visible, Data: json.RawMessage(quoteJSON(text))})
		}
		want = append(want, text)
	}
	for _, link := range links {
		notes = append(notes, note{Topic: "news", Data: map[string]string{"title": "linked", "link": link}})
	}
	for part := range slices.Chunk(notes, 100) {
		s.publish(node, part...)
	}
	s.publish(node, note{Topic: "ends", Data: markup[0]})
	if err := post(s.T, node.URL+"/topics/ends/end", "", map[string]string{"status": "failed"}, &struct{}{}); err != nil {
		s.Fatal(err)
	}
	s.awaitRows(min(500, len(notes)))
	s.tab.Wait(`document.querySelector('#events > li.end') !== null`, `document.body.innerText`)
	shown := s.data()
	for _, text := range want {
		if !slices.Contains(shown, text) {
			s.Errorf("%q is not shown", text)
		}
	}
	for _, h := range s.headlines() {
		if u, err := url.Parse(h.Link); err != nil || h.Link != "" && u.Scheme != "https" && u.Scheme != "http" {
			s.Errorf("a headline leads to %q", h.Link)
		}
	}
	for _, text := range markup {
		s.tab.Type("#filter", text)
		s.tab.Type("#add-topic", text)
		s.tab.Type("#publish-topic", text)
		s.tab.Type("#publish-data", text)
		s.tab.Click("#send")
	}
	s.expectNoScript()
}

// Nothing that stands in a link to the page is more than text there, nor in what
// the hub's errors repeat of it.
func pageBearsLinks(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.watchScripts()
	for i, text := range markup {
		query := url.QueryEscape(text)
		s.tab.Open(node.URL + [...]string{"/?topic=" + query, "/?topic=news&since=" + query, "/?" + query + "=" + query + "#" + query}[i%3])
		s.tab.Wait(`document.readyState === 'complete'`)
		s.expectNoScript()
	}
	// What the hub repeats of a request is no page, whoever has a browser open it.
	for _, path := range []string{"/events?topic=", "/topics?select=", "/topics/", "/nowhere/"} {
		s.tab.Open(node.URL + path + url.PathEscape(markup[0]))
		if kind := browser.Eval[string](s.tab, `document.contentType`); strings.Contains(kind, "html") || strings.Contains(kind, "xml") {
			s.Errorf("%s is answered by a page: %s", path, kind)
		}
		s.expectNoScript()
	}
}

func (s *scene) watchScripts() {
	s.Helper()
	browser.Call(s.tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchScripts})
}

// expectNoScript fails if a script of a publisher's has run, or was kept from it by
// the page's policy alone.
func (s *scene) expectNoScript() {
	s.Helper()
	s.checkHarmless()
	if stopped := browser.Eval[[]string](s.tab, `window.stopped ?? []`); len(stopped) > 0 {
		s.Errorf("the page's policy has stopped %q", stopped)
	}
	for _, c := range s.tab.Complaints("network") {
		s.Errorf("the console complains: %+v", c)
	}
}

func quoteJSON(text string) string {
	b, _ := json.Marshal(map[string]string{"html": text}) // cannot fail for strings
	return string(b)
}
