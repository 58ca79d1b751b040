package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"tickertape/internal/auth"
	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// forge makes every kind of request that a page can, to a hub that is not its own,
// with the cookies that the browser has for that, and returns what it could read.
const forge = `(async hub => {
	const seen = [];
	const note = async promise => { try { seen.push(await promise); } catch (e) { seen.push(e.name); } };
	const form = (path, type, name, value) => new Promise(done => {
		const frame = document.body.appendChild(document.createElement('iframe'));
		frame.name = 'f' + document.querySelectorAll('iframe').length;
		const form = document.body.appendChild(document.createElement('form'));
		Object.assign(form, { method: 'POST', action: hub + path, enctype: type, target: frame.name });
		const input = form.appendChild(document.createElement('input'));
		Object.assign(input, { name, value });
		frame.onload = () => done('form');
		form.submit();
		setTimeout(() => done('no page'), 2000); // the frame may show nothing
	});
	const forms = [];
	for (const path of ['/publish?topic=forged', '/publish?topic=private', '/topics/private/end', '/topics/private/cancel'])
		for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])
			forms.push(form(path, type, '{"topic":"forged","data":"', '"}'));
	await Promise.all(forms.map(note));
	for (const path of ['/publish?topic=forged', '/topics/private/end', '/topics/private/cancel'])
		for (const mode of ['no-cors', 'cors'])
			for (const type of ['text/plain', 'application/json', 'application/x-ndjson', 'text/event-stream', '']) {
				const headers = type ? { 'Content-Type': type } : {};
				await note(fetch(hub + path, { method: 'POST', mode, credentials: 'include', headers, body: '{"data":"x"}' }).then(r => r.text()));
			}
	for (const body of ['x', new Blob(['x'], { type: 'text/plain' }), new Blob(['{"data":1}'], { type: 'application/json' }), new URLSearchParams('a=b'), new FormData()])
		navigator.sendBeacon(hub + '/publish?topic=forged', body);
	await note(fetch(hub + '/publish?topic=forged', { method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: true, body: 'x' }).then(r => r.text()));
	await note(new Promise(done => {
		const ask = new XMLHttpRequest();
		ask.open('POST', hub + '/publish?topic=forged');
		ask.withCredentials = true;
		ask.onloadend = () => done(ask.responseText);
		ask.send('x');
	}));
	for (const path of ['/topics', '/topics/private/messages?last=5', '/topics/private'])
		for (const credentials of ['include', 'omit'])
			await note(fetch(hub + path, { credentials }).then(r => r.text()));
	for (const withCredentials of [true, false]) await note(new Promise(done => {
		const source = new EventSource(hub + '/events?topic=private&since=all', { withCredentials });
		source.onmessage = e => { done(e.data); source.close(); };
		source.onerror = () => { done('error'); source.close(); };
	}));
	for (const tag of ['img', 'script', 'embed']) await note(new Promise(done => {
		const element = document.createElement(tag);
		element.onload = element.onerror = e => done(tag + ' ' + e.type);
		element.src = hub + '/publish?topic=forged&data=x';
		document.body.append(element);
		setTimeout(() => done(tag), 2000);
	}));
	return seen.map(String);
})`

// A foreign page can neither write to a hub that is open to all on this machine,
// nor, by a cookie of whoever looks at it, to one with rights, nor read what only
// that one may, though it be a neighbour that gets the cookie.
func foreignPageForges(s *scene) {
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><title>elsewhere</title><body>`))
	}))
	s.Cleanup(foreign.Close)
	i := newIssuer(s.T)
	guarded := s.start(nodetest.Options{Web: web.Options{Authority: i.authority(auth.Rights{auth.Publish: selectors(s, "forged")})}})
	token := i.token(claims{"publish": "**", "subscribe": "**", "manage": "**"})
	browser.Eval[string](s.tab, fmt.Sprintf(`document.cookie = '__Host-tickertape=%s; Secure; Path=/; SameSite=None'`, token))
	own := browser.Eval[string](s.tab, `fetch('/publish?topic=private', { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '`+marker+`' }).then(r => r.text())`)
	if !strings.Contains(own, `"topic":"private"`) {
		s.Fatalf("the hub's own page is answered %s", own)
	}
	open := nodetest.Start(s, nodetest.Options{})
	s.publish(open, note{Topic: "private", Data: "kept"})
	for _, node := range []*nodetest.Node{guarded, open} {
		s.tab.Open(foreign.URL)
		before := len(s.tab.Statuses())
		seen := browser.Eval[[]string](s.tab, forge+`('`+node.URL+`')`)
		for _, text := range seen {
			if strings.Contains(text, marker) || strings.Contains(text, `"stored"`) || strings.Contains(text, `"topic":"forged"`) {
				s.Errorf("the page could read %q", text)
			}
		}
		s.until("the hub has answered what the page did not wait for", func() bool { return len(s.tab.Statuses()) > before+40 })
		if statuses := s.tab.Statuses()[before:]; !slices.Contains(statuses, http.StatusForbidden) || node == guarded && slices.Contains(statuses, http.StatusOK) {
			s.Errorf("the hub answered %v", statuses)
		}
		// At last the page leaves for an answer.
		before = len(s.tab.Statuses())
		browser.Eval[bool](s.tab, `(() => { const form = document.body.appendChild(document.createElement('form'));
			Object.assign(form, { method: 'POST', action: '`+node.URL+`/publish?topic=forged', enctype: 'text/plain' }); setTimeout(() => form.submit(), 0); return true; })()`)
		s.until("the hub has answered that", func() bool { return len(s.tab.Statuses()) > before })
		all := storedIn(s.T, node.Bus)
		if len(all) != 1 || all[0].Topic != "private" {
			s.Errorf("the page has left %v", all)
		}
	}
}
