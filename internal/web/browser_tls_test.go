package web_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/security"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// secure starts a node over TLS, whose certificate the tab takes for good, and opens
// a page of it.
func (s *scene) secure(o web.Options) *nodetest.Node {
	s.Helper()
	browser.Call(s.tab, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
	return s.start(nodetest.Options{Web: o, TLS: certified(s)})
}

// certified returns settings with the certificate of httptest.
func certified(s *scene) *tls.Config {
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	s.Cleanup(lender.Close)
	return &tls.Config{Certificates: lender.TLS.Certificates}
}

// Over HTTP/2 a page has more streams to one hub than the six connections that a
// browser opens.
func manyStreamsOverHTTP2(s *scene) {
	node := s.secure(web.Options{})
	const streams = 20
	var all []*browser.Source
	for i := range streams {
		all = append(all, s.tab.Listen(fmt.Sprintf("/events?topic=news&n=%d", i)))
	}
	for _, source := range all {
		source.Await("hub.open", 1)
	}
	if got := browser.Eval[string](s.tab, `fetch('/publish?topic=news', { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'to all' }).then(r => 'status ' + r.status, e => e.name)`); got != "status 200" {
		s.Errorf("publishing beside %d streams: %s", streams, got)
	}
	for _, source := range all {
		source.AwaitData("to all")
	}
	if open := node.Streams.Open(); open != streams {
		s.Errorf("%d streams are open", open)
	}
	if protocol := browser.Eval[string](s.tab, `performance.getEntriesByType('navigation')[0].nextHopProtocol`); protocol != "h2" {
		s.Errorf("the protocol is %s", protocol)
	}
	s.quiet()
}

// A page's cookie opens what its token may read to that hub's pages, and to no page
// of another origin, though the browser sends the cookie along from there.
func cookieOfItsOwn(s *scene) {
	i := newIssuer(s.T)
	node := s.secure(web.Options{Authority: i.authority(nil)})
	s.tab.Listen("/events?topic=secret")
	s.tab.Wait(`sources[0].source.readyState === 2`)
	// SameSite=None: the browser keeps nothing back, so that the hub has to.
	browser.Eval[string](s.tab, fmt.Sprintf(`document.cookie = '__Host-tickertape=%s; Secure; Path=/; SameSite=None'`,
		i.token(claims{"subscribe": "secret", "publish": "secret"})))
	source := s.tab.Listen("/events?topic=secret")
	source.Await("hub.open", 1)
	if got := browser.Eval[string](s.tab, cookiePost("", "first")); got != "basic 200" {
		s.Errorf("a post of the hub's own page: %s", got)
	}
	source.AwaitData("first")

	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><title>elsewhere</title>`))
	}))
	s.Cleanup(elsewhere.Close)
	for origin, stream := range map[string]int{
		elsewhere.URL: http.StatusForbidden, // of the same site: the browser sends the cookie
		strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1): http.StatusUnauthorized, // of another one: it does not
	} {
		tab := s.tab.Beside() // with the same cookies
		browser.Call(tab, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
		tab.Open(origin)
		if got := browser.Eval[string](tab, cookiePost(node.URL, "forged")); got != "TypeError" { // nothing of the answer gets out
			s.Errorf("%s: a post: %s", origin, got)
		}
		if got := browser.Eval[string](tab, fmt.Sprintf(cookieStream, node.URL)); got != "refused 2" {
			s.Errorf("%s: a stream: %s", origin, got)
		}
		// Of the page itself, of the post, of the stream.
		s.until("all statuses are known", func() bool { return len(tab.Statuses()) >= 3 })
		if got := tab.Statuses(); !slices.Equal(got, []int{http.StatusOK, http.StatusForbidden, stream}) {
			s.Errorf("%s: statuses %v", origin, got)
		}
	}
	browser.Eval[string](s.tab, cookiePost("", "last"))
	source.AwaitData("last")
	if got := source.Events("message"); len(got) != 2 {
		s.Errorf("a foreign page published: %s", brief(got))
	}
}

// cookiePost publishes with cookies, without asking first.
func cookiePost(hub, data string) string {
	return fmt.Sprintf(`fetch('%s/publish?topic=secret', { method: 'POST', credentials: 'include', mode: %s, headers: { 'Content-Type': 'text/plain' }, body: '%s' })
		.then(r => r.type + ' ' + r.status, e => e.name)`, hub, map[bool]string{true: "'same-origin'", false: "'no-cors'"}[hub == ""], data)
}

// cookieStream listens with cookies.
const cookieStream = `new Promise(done => {
	const source = new EventSource('%s/events?topic=secret&last=9', { withCredentials: true });
	source.addEventListener('hub.open', () => done('opened'));
	source.onerror = () => done('refused ' + source.readyState);
})`
