package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tickertape/internal/auth"
	"tickertape/internal/event"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

const (
	friend  = "https://app.example"
	foreign = "https://evil.example"
)

// TestWhereCredentialsStand: the header counts everywhere, the query where an
// EventSource reads, and of two there is none that counts.
func TestWhereCredentialsStand(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: i.authority(nil)}})
	token := i.token(claims{"publish": "**", "subscribe": "**"})
	bearer, expired := "Authorization: Bearer "+token, i.token(claims{"exp": 1000})
	for _, x := range []struct {
		name   string
		ask    request
		status int
		words  string
	}{
		{"header", get("/events?topic=a", bearer), 200, ""},
		{"header in other letters", get("/events?topic=a", "authorization: bEARER  "+token), 200, ""},
		{"query", get("/events?topic=a&access_token=" + token), 200, ""},
		{"query of another read", get("/topics?access_token=" + token), 200, ""},
		{"query of a publish", postTo("?topic=a&access_token="+token, "text/plain", "x"), 401, "takes a token"},
		{"query beside the header of a publish", postTo("?topic=a&access_token="+token, "text/plain", "x", bearer), 400, "unknown parameter"},
		{"both", get("/events?topic=a&access_token="+token, bearer), 400, "send one"},
		{"two in the query", get("/events?topic=a&access_token=" + token + "&access_token=" + token), 400, "2 times"},
		{"two headers", get("/events?topic=a", bearer, bearer), 400, "2 times"},
		{"another scheme", get("/events?topic=a", "Authorization: Basic YTpi"), 401, "not of the form"},
		{"no credential behind the scheme", get("/events?topic=a", "Authorization: Bearer"), 401, "not of the form"},
		{"an expired one, though another place has a good one", get("/events?topic=a", "Authorization: Bearer "+expired, cookie(token), "Sec-Fetch-Site: same-origin"), 401, "expired"},
		{"empty query", get("/events?topic=a&access_token="), 401, "takes a token"},
		{"a bad query", get("/events?topic=a&access_token=%zz"), 400, "cannot be decoded"},
	} {
		got := n.first(t, x.ask)
		if got.status != x.status || !strings.Contains(string(got.body), x.words) {
			t.Errorf("%s: %d %s; want %d, %q", x.name, got.status, got.body, x.status, x.words)
		}
	}
}

func cookie(token string) string { return "Cookie: __Host-tickertape=" + token }

// TestCookies: a cookie counts where a browser says that a page of the hub's own,
// or of an origin that is named, makes the request, and nowhere else.
func TestCookies(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: i.authority(nil), PublishOrigins: []string{friend}}})
	has := cookie(i.token(claims{"publish": "**", "subscribe": "**", "manage": "**"}))
	own := "https://hub.example"
	for _, x := range []struct {
		name        string
		header      []string
		read, write int
	}{
		{"a page of its own", []string{"Origin: " + own, "Sec-Fetch-Site: same-origin"}, 200, 200},
		{"a page of its own, which sends no origin", []string{"Sec-Fetch-Site: same-origin"}, 200, 200},
		{"a person who types an address", []string{"Sec-Fetch-Site: none"}, 200, 200},
		{"an old browser", nil, 200, 403},
		{"a page of an origin that is named", []string{"Origin: " + friend, "Sec-Fetch-Site: cross-site"}, 200, 200},
		{"a foreign page", []string{"Origin: " + foreign, "Sec-Fetch-Site: cross-site"}, 403, 403},
		{"a foreign page in an old browser", []string{"Origin: " + foreign}, 403, 403},
		{"a page without origin", []string{"Origin: null", "Sec-Fetch-Site: cross-site"}, 403, 403},
		{"a foreign link or picture", []string{"Sec-Fetch-Site: cross-site"}, 403, 403},
		{"a page of a neighbour", []string{"Sec-Fetch-Site: same-site"}, 403, 403},
		{"a page whose origin begins alike", []string{"Origin: " + friend + ".evil.example"}, 403, 403},
		{"a page of its own that somebody on the way has changed", []string{"Origin: http://hub.example", "Sec-Fetch-Site: cross-site"}, 403, 403},
		{"a page by an open way", []string{"Origin: http://app.example"}, 403, 403},
	} {
		t.Run(x.name, func(t *testing.T) {
			reads := get("/events?topic=a", append(x.header, has)...)
			writes := postTo("?topic=a", "text/plain", "x", append(x.header, has)...)
			reads.host, writes.host = "hub.example", "hub.example"
			if got := n.first(t, reads); got.status != x.read {
				t.Errorf("reading: %d %s; want %d", got.status, got.body, x.read)
			} else if allowed := got.header.Get("Access-Control-Allow-Credentials"); (allowed == "true") != (len(x.header) > 0 && x.header[0] == "Origin: "+friend) {
				t.Errorf("Access-Control-Allow-Credentials is %q", allowed)
			}
			if got := n.do(t, writes); got.status != x.write {
				t.Errorf("writing: %d %s; want %d", got.status, got.body, x.write)
			}
		})
	}
	twice := get("/events?topic=a", has, has)
	expectProblem(t, n.first(t, twice), 400, "__Host-tickertape 2 times")
	weaker := get("/events?topic=a", strings.Replace(has, "__Host-", "", 1))
	expectProblem(t, n.first(t, weaker), 401, "takes a token")
}

// TestCredentialsOfForeignPages: a page that has a token of its own may send it from
// anywhere to read, but writes only from where it may.
func TestCredentialsOfForeignPages(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	n := startNode(t, nodetest.Options{Web: web.Options{PublishOrigins: []string{friend},
		Authority: i.authority(auth.Rights{auth.Publish: selectors(t, "open")})}})
	bearer := "Authorization: Bearer " + i.token(claims{"publish": "**", "subscribe": "**"})
	if got := n.first(t, get("/events?topic=a", bearer, "Origin: "+foreign)); got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("reading: %d %v", got.status, got.header)
	}
	expectProblem(t, n.do(t, postTo("?topic=a", "text/plain", "x", bearer, "Origin: "+foreign)), 403, "origin")
	own := postTo("?topic=a", "text/plain", "x", bearer, "Origin: https://hub.example")
	own.host = "hub.example"
	if got := n.do(t, own); got.status != 200 {
		t.Errorf("from its own page: %d %s", got.status, got.body)
	}
	rebound := postTo("?topic=open", "text/plain", "x", "Origin: https://rebound.example")
	rebound.host = "rebound.example"
	expectProblem(t, n.do(t, rebound), 403, "origin")
}

// TestNobodyCanTell: while the keys of tokens cannot be read, a stream is to come
// back, a publish is told so, and the node is not ready.
func TestNobodyCanTell(t *testing.T) {
	t.Parallel()
	away := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(away.Close)
	i := newIssuer(t)
	a := i.authorityOf(auth.Policy{Anonymous: auth.Rights{auth.Subscribe: selectors(t, "news")}, Tokens: &auth.Tokens{Keys: away.URL}})
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: a}})
	bearer := "Authorization: Bearer " + i.token(claims{"publish": "**", "subscribe": "**"})
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL+"/events?topic=a&access_token="+i.token(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := n.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err == nil || response.StatusCode != 200 || !strings.HasPrefix(string(body), "retry: ") {
		t.Errorf("a stream: %d %q, %v", response.StatusCode, body, err)
	}
	if away := n.Streams.Stats().Away[stream.Unknown]; away != 1 {
		t.Errorf("%d sent away", away)
	}
	got := n.do(t, postTo("?topic=a", "text/plain", "x", bearer))
	if p := expectProblem(t, got, 503, "could not be read yet"); p.Stored != "no" {
		t.Errorf("stored: %q", p.Stored)
	}
	if got.header.Get("Retry-After") == "" {
		t.Error("it is not told when to come back")
	}
	expectProblem(t, n.do(t, get("/readyz")), 503, "could not be read yet")
	if got := n.first(t, get("/events?topic=news")); got.status != 200 {
		t.Errorf("who needs no token: %d %s", got.status, got.body)
	}
}

// TestExpiryOfStreams: a stream out and a stream in both end when the token does.
func TestExpiryOfStreams(t *testing.T) {
	onWriters(t, func(t *testing.T, o nodetest.Options) {
		i := newIssuer(t)
		o.Web.Authority = i.authority(nil)
		n := startNode(t, o)
		bearer := "Bearer " + i.token(claims{"publish": "a", "subscribe": "a", "exp": time.Now().Add(2 * time.Second).Unix()})
		body, lines := io.Pipe()
		in := make(chan answer, 1)
		go func() { in <- n.send(t, "/publish", "application/x-ndjson", bearer, body) }()
		if _, err := io.WriteString(lines, `{"topic":"a","data":"before"}`+"\n"); err != nil {
			t.Fatal(err)
		}
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL+"/events?topic=a&since=all", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", bearer)
		response, err := n.client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err == nil || !strings.HasSuffix(string(text), "event: hub.auth\ndata: {\"reason\":\"expired\"}\n\n") || !strings.Contains(string(text), "data: before\n") {
			t.Errorf("the stream out: %q, %v", text, err)
		}
		// Its own answer comes with the next line at the latest.
		_, _ = io.WriteString(lines, `{"topic":"a","data":"after"}`+"\n")
		p := expectProblem(t, <-in, 401, "line 2", "expired at")
		_ = lines.Close()
		if p.Published == nil || *p.Published != 1 {
			t.Errorf("%+v", p)
		}
		if all := n.stored(t); len(all) != 1 || all[0].Topic != event.Topic("a") || all[0].Data.Text != "before" {
			t.Errorf("it has left %v", all)
		}
	})
}
