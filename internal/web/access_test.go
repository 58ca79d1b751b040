package web_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tickertape/internal/auth"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// guardedRoute is a route that takes a right, and how it is asked for topic.
type guardedRoute struct {
	name   string
	action string
	ask    func(topic string) request
	wide   bool // it also takes selectors
}

// guardedRoutes are all of them.
func guardedRoutes() []guardedRoute {
	post := func(path, contentType, body string) request {
		return request{method: http.MethodPost, path: path, header: []string{"Content-Type: " + contentType}, body: body}
	}
	return []guardedRoute{
		{"message", "publish", func(t string) request { return postTo("", jsonType, `{"topic":"`+t+`","data":"x"}`) }, false},
		{"batch", "publish", func(t string) request { return postTo("", jsonType, `[{"topic":"`+t+`","data":"x"}]`) }, false},
		{"raw", "publish", func(t string) request { return postTo("?topic="+t, "text/plain", "x") }, false},
		{"lines", "publish", func(t string) request {
			return postTo("", "application/x-ndjson", `{"topic":"`+t+`","data":"x"}`+"\n")
		}, false},
		{"events in", "publish", func(t string) request { return postTo("?topic="+t, "text/event-stream", "data: x\n\n") }, false},
		{"end", "publish", func(t string) request { return post("/topics/"+t+"/end", jsonType, `{"status":"failed"}`) }, false},
		{"cancel", "manage", func(t string) request { return post("/topics/"+t+"/cancel", "text/plain", "") }, false},
		{"stream", "subscribe", func(t string) request { return get("/events?topic=" + t) }, true},
		{"topics", "subscribe", func(t string) request { return get("/topics?select=" + t) }, true},
		{"topic", "subscribe", func(t string) request { return get("/topics/" + t) }, false},
		{"history", "subscribe", func(t string) request { return get("/topics/" + t + "/messages") }, false},
	}
}

// TestAccess: every route, asked with every kind of credential, answers as it
// should, and says why.
func TestAccess(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	stranger := newIssuer(t)
	key, hash := auth.NewAPIKey()
	mine := selectors(t, "mine.*")
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: i.authority(nil,
		auth.APIKey{Name: "job", Hash: hash, Rights: auth.Rights{auth.Publish: mine, auth.Subscribe: mine, auth.Manage: mine}})}})
	all := func(selector string) claims {
		return claims{"publish": selector, "subscribe": selector, "manage": selector}
	}
	with := func(name string, value any) claims { c := all("mine.*"); c[name] = value; return c }
	hour := time.Hour
	credentials := []struct {
		name, credential, topic string
		status                  int
		cause                   string
	}{
		{"none", "", "mine.#", 401, "takes a token or an API key"},
		{"another one's", stranger.token(all("mine.*")), "mine.#", 401, "signature"},
		{"expired", i.token(with("exp", time.Now().Add(-hour).Unix())), "mine.#", 401, "expired at"},
		{"not yet valid", i.token(with("nbf", time.Now().Add(hour).Unix())), "mine.#", 401, "not valid before"},
		{"for another audience", i.token(with("aud", "shop")), "mine.#", 401, `aud is "shop"`},
		{"by another issuer", i.token(with("iss", "evil")), "mine.#", 401, `iss is "evil"`},
		{"unsigned", i.unsigned(all("mine.*")), "mine.#", 401, "alg is none"},
		{"HMAC with the public key", i.confused(all("mine.*")), "mine.#", 401, "which is HS256"},
		{"with an unknown key", i.made(`{"alg":"EdDSA","kid":"k2"}`, all("mine.*"), func([]byte) []byte { return []byte("x") }), "mine.#", 401, `kid "k2"`},
		{"for another topic", i.token(all("mine.*")), "yours.#", 403, `", only mine.*`},
		{"for other topics below", i.token(all("mine.*")), "mine.#.2", 403, `.2", only mine.*`},
		{"for nothing", i.token(nil), "mine.1", 403, `token of "alice" may not`},
		{"of another subject", i.token(all("own.{sub}.*")), "own.bob.#", 403, "only own.alice.*"},
		{"right", i.token(all("mine.*")), "mine.#", 200, ""},
		{"right for the subject", i.token(all("own.{sub}.*")), "own.alice.#", 200, ""},
		{"an API key", key, "mine.#", 200, ""},
		{"an API key for another topic", key, "yours.#", 403, "key job may not"},
		{"no API key", key[:len(key)-2], "mine.#", 401, "no such API key"},
		{"neither", "hello", "mine.#", 401, "no token"},
	}
	count := 0
	for _, route := range guardedRoutes() {
		for _, x := range credentials {
			count++
			topic := strings.ReplaceAll(x.topic, "#", strconv.Itoa(count))
			t.Run(route.name+"/"+x.name, func(t *testing.T) {
				if route.action == "subscribe" {
					n.put(t, topic, "something to see")
				}
				checkAccess(t, n, route.ask(topic), x.credential, route, x.status, x.cause)
			})
		}
		if route.wide {
			for _, wider := range []string{"**", "mine.**", "*.1", "*"} {
				t.Run(route.name+"/wider "+wider, func(t *testing.T) {
					checkAccess(t, n, route.ask(wider), i.token(all("mine.*")), route, 403, "only mine.*")
				})
			}
		}
	}
}

// checkAccess asks with the credential, and compares the answer.
func checkAccess(t *testing.T, n *node, r request, credential string, route guardedRoute, status int, cause string) {
	t.Helper()
	if credential != "" {
		r.header = append(r.header, "Authorization: Bearer "+credential)
	}
	got := n.first(t, r)
	if status == http.StatusOK && got.status == status {
		return
	}
	p := expectProblem(t, got, status, cause)
	challenge := got.header.Get("WWW-Authenticate")
	switch {
	case status == http.StatusForbidden:
		if challenge != "" || !strings.Contains(p.Detail, route.action) && route.name != "end" {
			t.Errorf("%s, with %q", p.Detail, challenge)
		}
	case strings.Contains(challenge, "invalid_token") != (credential != ""):
		t.Errorf("the challenge is %q", challenge)
	}
	if credential != "" && strings.Contains(string(got.body), credential) {
		t.Error("the answer repeats the credential")
	}
}

// TestAccessToAllTopics: a stream of several topics and selectors, and a batch,
// take rights to each of them, and what is refused changes nothing.
func TestAccessToAllTopics(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: i.authority(nil)}})
	bearer := "Authorization: Bearer " + i.token(claims{"publish": "mine.*", "subscribe": []string{"mine.*", "news"}})
	for query, status := range map[string]int{
		"topic=mine.1&topic=news": 200, "topic=mine.1&topic=mine.*": 200, "topic=mine.1&topic=yours.1": 403,
		"topic=mine.*&topic=**": 403, "topic=news&topic=news.a": 403, "topic=mine.1&topic=m%69ne.2": 200, "topic=MINE.1": 403,
		"topic=mine.1%2e2": 403, "topic=mine.1.": 400, "topic=mine.1%00": 400, "topic=mine.%2a%2a": 403, "topic=yours.1&topic=mine.1": 403,
	} {
		if got := n.first(t, get("/events?"+query, bearer)); got.status != status {
			t.Errorf("%s: %d %s; want %d", query, got.status, got.body, status)
		}
	}
	p := expectProblem(t, n.do(t, postTo("", jsonType, `[{"topic":"mine.1","data":"x"},{"topic":"yours.1","data":"x"}]`, bearer)), 403, `"yours.1"`)
	if p.Item == nil || *p.Item != 1 {
		t.Errorf("%+v", p)
	}
	if all := n.stored(t); len(all) > 0 {
		t.Errorf("a refused batch has left %v", all)
	}
	lines := `{"topic":"mine.1","data":"a"}` + "\n" + `{"topic":"yours.1","data":"b"}` + "\n" + `{"topic":"mine.1","data":"c"}` + "\n"
	p = expectProblem(t, n.do(t, postTo("", "application/x-ndjson", lines, bearer)), 403, "line 2", `"yours.1"`)
	if p.Published == nil || *p.Published != 1 || *p.Item != 1 {
		t.Errorf("%+v", p)
	}
	if all := n.stored(t); len(all) != 1 || all[0].Data.Text != "a" {
		t.Errorf("a refused stream has left %v", all)
	}
}

// TestOpenRoutes: what tells nothing of topics takes no credential, and does not
// look at one.
func TestOpenRoutes(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: newIssuer(t).authority(nil)}})
	for _, path := range []string{"/healthz", "/readyz", "/", "/tickertape.js", "/openapi.yaml"} {
		for _, header := range []string{"X: y", "Authorization: Bearer nonsense"} {
			if got := n.do(t, get(path, header)); got.status != http.StatusOK {
				t.Errorf("%s with %s: %d %s", path, header, got.status, got.body)
			}
		}
	}
}

// TestAnonymous: everybody has the rights that are given to everybody, and no
// others; who sends a credential has its own.
func TestAnonymous(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: i.authority(auth.Rights{auth.Subscribe: selectors(t, "news.**")})}})
	for query, status := range map[string]int{"news.a": 200, "news.**": 200, "chat.a": 401, "**": 401} {
		if got := n.first(t, get("/events?topic="+query)); got.status != status {
			t.Errorf("%s: %d %s; want %d", query, got.status, got.body, status)
		}
	}
	expectProblem(t, n.do(t, postTo("?topic=news.a", "text/plain", "x")), 401, "to publish takes a token or an API key")
	expectProblem(t, n.first(t, get("/events?topic=news.a", "Authorization: Bearer "+i.token(nil))), 403, "may not subscribe")
}
