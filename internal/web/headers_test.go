package web_test

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// headers are those of an answer that guard it; "" is none.
type headers map[string]string

// but returns the headers with those changes.
func (h headers) but(changes headers) headers {
	all := maps.Clone(h)
	maps.Copy(all, changes)
	return all
}

func (h headers) check(t *testing.T, what string, got http.Header) {
	t.Helper()
	for name, want := range h {
		if all := got.Values(name); strings.Join(all, " | ") != want {
			t.Errorf("%s: %s is %q, not %q", what, name, all, want)
		}
	}
}

// The guarding headers of each kind of answer.
func answerGuards() headers {
	return headers{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'",
		"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer", "Strict-Transport-Security": "",
		"Cross-Origin-Opener-Policy": "", "Permissions-Policy": "", "Access-Control-Allow-Credentials": "", "Server": ""}
}

func pageGuards() headers {
	return answerGuards().but(headers{"Cache-Control": "no-cache", "Cross-Origin-Opener-Policy": "same-origin",
		"Permissions-Policy": "camera=(), geolocation=(), microphone=()",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
			"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"})
}

// guardsOf returns what a route's answers have.
func guardsOf(path string) headers {
	switch {
	case path == "/" || strings.HasPrefix(path, "/page/"):
		return pageGuards()
	case path == "/events":
		return answerGuards().but(headers{"Cache-Control": "no-store, no-transform"})
	case path == "/openapi.yaml":
		return answerGuards().but(headers{"Cache-Control": "no-cache"})
	case path == "/tickertape.js":
		return answerGuards().but(headers{"Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*"})
	}
	return answerGuards()
}

// Every route there is has the headers that guard its answers.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	n.publish(t, "news", "hi")
	example := strings.NewReplacer(":topic", "news", "*filepath", "console.js")
	for _, route := range n.Web.Routes() {
		method, path, _ := strings.Cut(example.Replace(route), " ")
		r := request{method: method, path: path}
		want := guardsOf(path)
		if path == "/events" {
			r.path += "?topic=news"
			if method == http.MethodOptions {
				want = answerGuards()
			}
		}
		if method == http.MethodOptions && path == "/openapi.yaml" {
			want = answerGuards()
		}
		a := n.first(t, r)
		if a.status >= http.StatusBadRequest && method != http.MethodPost {
			t.Errorf("%s: %d", route, a.status)
		}
		want.check(t, route, a.header)
	}
	closed := startNode(t, nodetest.Options{Web: web.Options{Authority: newIssuer(t).authority(nil)}})
	for _, c := range []struct {
		node   *node
		r      request
		status int
	}{
		{n, get("/nowhere"), 404},
		{n, get("/page/nothing.js"), 404},
		{n, request{method: http.MethodDelete, path: "/topics"}, 405},
		{n, get("/events"), 400},
		{n, get("/topics/none"), 404},
		{closed, get("/events?topic=a"), 401},
		{closed, get("/topics"), 401},
		{closed, postTo("?topic=a", "text/plain", "hi"), 401},
		{closed, postTo("?topic=a", "text/plain", "hi", "Origin: https://elsewhere.example"), 403},
	} {
		a := c.node.do(t, c.r)
		if a.status != c.status {
			t.Errorf("%v: %d", c.r, a.status)
		}
		guards := answerGuards()
		if strings.HasPrefix(c.r.path, "/page/") {
			guards = pageGuards()
		}
		guards.check(t, c.r.method+" "+c.r.path, a.header)
	}
}

// Over the hub's own TLS browsers are told to come by nothing else.
func TestPagesOverTLS(t *testing.T) {
	t.Parallel()
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	defer lender.Close()
	n := startNode(t, nodetest.Options{TLS: &tls.Config{Certificates: lender.TLS.Certificates}})
	n.client.Transport.(*http.Transport).TLSClientConfig = lender.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	pageGuards().but(headers{"Strict-Transport-Security": "max-age=86400"}).check(t, "/", n.do(t, get("/")).header)
	answerGuards().check(t, "/topics", n.do(t, get("/topics")).header)
}

// Cookies are for the origins that are named, to the letter.
func TestOriginsWithCookies(t *testing.T) {
	t.Parallel()
	const good = "https://good.example"
	open := startNode(t, nodetest.Options{Web: web.Options{PublishOrigins: []string{good}}})
	n := startNode(t, nodetest.Options{Web: web.Options{PublishOrigins: []string{good}, Authority: newIssuer(t).authority(nil)}})
	for _, origin := range []string{good, "https://other.example", "null", "HTTPS://GOOD.EXAMPLE", "https://Good.example", "https://good.example.",
		"https://good.example.evil.com", "https://evil-good.example", "https://sub.good.example", "https://good.example:443", "https://good.example:8443",
		"http://good.example", "https://good.example/", "https://user@good.example", "https://good.example https://evil.example", "*", "https://*"} {
		for _, r := range []request{get("/topics"), get("/events?topic=a"), get("/healthz"), get("/nowhere"), get("/openapi.yaml"), get("/tickertape.js"),
			postTo("?topic=a", "text/plain", "hi"), {method: http.MethodPost, path: "/topics/a/end"},
			{method: http.MethodOptions, path: "/topics"}, {method: http.MethodOptions, path: "/publish"}, {method: http.MethodOptions, path: "/tickertape.js"}} {
			r.header = append(r.header, "Origin: "+origin)
			want := headers{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": ""}
			public := r.path == "/tickertape.js"
			switch {
			case r.path == "/nowhere" || origin != good && (strings.HasPrefix(r.path, "/publish") || strings.HasSuffix(r.path, "/end")):
				want["Access-Control-Allow-Origin"] = ""
			case origin == good && !public:
				want = headers{"Access-Control-Allow-Origin": good, "Access-Control-Allow-Credentials": "true"}
			}
			want.check(t, r.method+" "+r.path+" from "+origin, n.first(t, r).header)
			want = want.but(headers{"Access-Control-Allow-Credentials": ""}) // nobody needs any there
			want.check(t, "open: "+r.method+" "+r.path+" from "+origin, open.first(t, r).header)
		}
	}
}
