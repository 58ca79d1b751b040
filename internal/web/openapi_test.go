package web_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"tickertape/internal/event"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// plainBodies teaches the validator the bodies that are text to it. It keeps
// what it knows in one place for the whole process.
var plainBodies = sync.OnceFunc(func() {
	for _, media := range []string{"application/x-ndjson", "text/event-stream", "application/x-www-form-urlencoded",
		"application/octet-stream", "text/html", "text/css", "text/javascript"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.PlainBodyDecoder)
	}
})

// description loads /openapi.yaml from a node, and checks that it is valid.
func description(t *testing.T, n *node) *openapi3.T {
	t.Helper()
	plainBodies()
	a := n.do(t, get("/openapi.yaml", "Origin: https://anywhere.example"))
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/yaml" || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("/openapi.yaml: %d %v", a.status, a.header)
	}
	doc, err := openapi3.NewLoader().LoadFromData(a.body)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaFormatValidation()); err != nil {
		t.Fatal(err)
	}
	return doc
}

var (
	parameterForm = regexp.MustCompile(`[:*]\w+`)
	pageFileForm  = strings.NewReplacer("{filepath}", "{file}")
)

func TestOpenAPIHasAllRoutes(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	var want, got []string
	for path, item := range description(t, n).Paths.Map() {
		for method := range item.Operations() {
			want = append(want, method+" "+path)
		}
	}
	for _, route := range n.Web.Routes() {
		route = parameterForm.ReplaceAllStringFunc(route, func(p string) string { return "{" + p[1:] + "}" })
		if !strings.HasPrefix(route, http.MethodOptions) { // preflights are described in words
			got = append(got, pageFileForm.Replace(route))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	for _, route := range got {
		if !slices.Contains(want, route) {
			t.Errorf("%s is not described", route)
		}
	}
	for _, route := range want {
		if !slices.Contains(got, route) {
			t.Errorf("%s is described, and not routed", route)
		}
	}
}

// checked is a client's transport that holds each request and each answer
// against the description.
type checked struct {
	t      *testing.T
	router routers.Router
	to     http.RoundTripper

	refused error           // why the description does not allow the last request
	seen    map[string]bool // "POST /publish 200"
}

func newChecked(t *testing.T, doc *openapi3.T) *checked {
	t.Helper()
	doc.Servers = nil // any node
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &checked{t: t, router: router, seen: map[string]bool{}}
}

func (c *checked) RoundTrip(r *http.Request) (*http.Response, error) {
	input, err := c.request(r)
	if err != nil {
		return nil, err
	}
	answer, err := c.to.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if input.Route == nil {
		if answer.StatusCode != http.StatusNotFound && answer.StatusCode != http.StatusMethodNotAllowed {
			c.t.Errorf("%s %s is not described, and answered %d", r.Method, r.URL, answer.StatusCode)
		}
		return answer, nil
	}
	c.seen[fmt.Sprintf("%s %s %d", r.Method, input.Route.Path, answer.StatusCode)] = true
	output := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: answer.StatusCode, Header: answer.Header}
	output.Options = &openapi3filter.Options{IncludeResponseStatus: true}
	if answer.Header.Get("Content-Type") == "text/event-stream" { // which has no end
		output.Options.ExcludeResponseBody = true
	} else {
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil, err
		}
		_ = answer.Body.Close()
		answer.Body = io.NopCloser(bytes.NewReader(body))
		output.SetBodyBytes(body)
	}
	if err := openapi3filter.ValidateResponse(r.Context(), output); err != nil {
		c.t.Errorf("%s %s answers %d, which is not described: %v", r.Method, r.URL, answer.StatusCode, err)
	}
	return answer, nil
}

// request checks a request and leaves it as it was.
func (c *checked) request(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	input := &openapi3filter.RequestValidationInput{Request: r.Clone(r.Context()), Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
	input.Route, input.PathParams, c.refused = c.router.FindRoute(r)
	if c.refused != nil {
		input.Route = nil
		return input, nil
	}
	if _, broken := r.Body.(brokenBody); !broken && r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body, input.Request.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
	}
	// A body without a type cannot be described.
	input.Options.ExcludeRequestBody = r.Header.Get("Content-Type") == ""
	c.refused = openapi3filter.ValidateRequest(r.Context(), input)
	return input, nil
}

// brokenBody is a body of which nothing arrives in time.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }
func (brokenBody) Close() error             { return nil }

// direct hands requests to a server without a network between.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// trial is a request, the status that it gets, and whether the description
// allows it: there are mistakes that only the hub can see.
type trial struct {
	request
	status  int
	allowed bool
}

// run makes all trials.
func (c *checked) run(t *testing.T, n *node, trials map[string]trial) {
	t.Helper()
	c.to = n.client.Transport
	client := &node{n.Node, &http.Client{Transport: c, Timeout: patience}}
	for name, x := range trials {
		if strings.HasPrefix(x.path, "/events") && x.status == http.StatusOK {
			answer, err := client.client.Get(n.URL + x.path)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != x.status {
				t.Errorf("%s: got %d, want %d", name, answer.StatusCode, x.status)
			}
		} else if a := client.do(t, x.request); a.status != x.status {
			t.Errorf("%s: got %d, want %d: %s", name, a.status, x.status, a.body)
		}
		if (c.refused == nil) != x.allowed {
			t.Errorf("%s: the description says %v", name, c.refused)
		}
	}
}

func TestOpenAPIHolds(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	doc := description(t, n)
	c := newChecked(t, doc)
	id := n.publish(t, "news", "one")
	n.publish(t, "quotes.AAPL", "two")
	over := decode[ending](t, n.do(t, endOf("over", ""))).ID
	n.do(t, get("/events?topic=over&since=all")) // from then on the node knows
	c.run(t, n, goodTrials(id, over))
	c.run(t, n, badTrials())
	for status, err := range map[int]error{http.StatusInternalServerError: errFault, http.StatusServiceUnavailable: errAway} {
		faulty := &node{nodetest.Start(t, nodetest.Options{Over: faultyBus{membus.New(membus.Options{}), err}}), n.client}
		c.run(t, faulty, faultyTrials(status))
	}
	i := newIssuer(t)
	guarded := startNode(t, nodetest.Options{Web: web.Options{Authority: i.authority(nil)}})
	c.run(t, guarded, guardedTrials("Authorization: Bearer "+i.token(claims{"publish": "mine", "subscribe": "mine", "manage": "mine"})))
	o, key := asKey(t, event.MinRate)
	limited := startNode(t, o)
	c.run(t, limited, map[string]trial{"free": ok(postTo("?topic=news", "text/plain", "hi", key))})
	c.run(t, limited, limitedTrials(key))
	busy := startNode(t, nodetest.Options{Web: web.Options{Limits: web.Limits{Requests: 0.1, TrustedProxies: behindProxy()}}})
	c.run(t, busy, map[string]trial{"first": ok(get("/topics", from("203.0.113.7")))})
	c.run(t, busy, busyTrials(from("203.0.113.7")))
	n.Web.Drain()
	c.run(t, n, map[string]trial{"drains": {get("/readyz"), 503, true}, "drains, head": {request{method: "HEAD", path: "/readyz"}, 503, true}})
	c.to = direct{idleServer(t, membus.New(membus.Options{}), slog.New(slog.DiscardHandler))}
	for _, path := range []string{"/publish?topic=news", "/topics/news/end", "/topics/news/cancel"} {
		late := httptest.NewRequest(http.MethodPost, "http://hub"+path, brokenBody{})
		if answer, err := c.RoundTrip(late); err != nil || answer.StatusCode != http.StatusRequestTimeout {
			t.Errorf("%s, a late body: %v, %v", path, answer, err)
		}
	}
	c.expectAll(doc)
}

// expectAll checks that each answer that is described has been given. A panic
// is the only way to a 500 for those that ask the bus for nothing.
func (c *checked) expectAll(doc *openapi3.T) {
	c.t.Helper()
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				answer := method + " " + path + " " + status
				if !c.seen[answer] && !slices.Contains([]string{"GET /events 500", "GET /readyz 500", "HEAD /readyz 500"}, answer) {
					c.t.Errorf("%s is described, and was never given", answer)
				}
			}
		}
	}
}
