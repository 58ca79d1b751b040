package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tickertape/internal/auth"
	"tickertape/internal/event"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// asKey returns the options of a node that knows one API key, and the header by which
// its owner is known, who may publish so fast.
func asKey(t *testing.T, rate float64) (nodetest.Options, string) {
	t.Helper()
	key, hash := auth.NewAPIKey()
	all := selectors(t, "**")
	i := newIssuer(t)
	return nodetest.Options{Web: web.Options{Authority: i.authority(nil, auth.APIKey{Name: "job", Hash: hash, PublishRate: rate,
		Rights: auth.Rights{auth.Publish: all, auth.Subscribe: all, auth.Manage: all}})}}, "Authorization: Bearer " + key
}

// TestPublishRate: who publishes faster than they may is told so, and when to go on;
// nothing of it is stored. Each key, subject and address is counted by itself.
func TestPublishRate(t *testing.T) {
	t.Parallel()
	i, all := newIssuer(t), selectors(t, "**")
	rights := auth.Rights{auth.Publish: all, auth.Subscribe: all, auth.Manage: all}
	policy := auth.Policy{Anonymous: rights, AnonymousRate: 0.1, Tokens: &auth.Tokens{Keys: i.keyFile(), PublishRate: 0.1}}
	keys := make([]string, 3)
	for j, rate := range []float64{0.1, 0.1, 0} {
		key, hash := auth.NewAPIKey()
		keys[j] = "Authorization: Bearer " + key
		policy.APIKeys = append(policy.APIKeys, auth.APIKey{Name: fmt.Sprint("job", j), Hash: hash, Rights: rights, PublishRate: rate})
	}
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: i.authorityOf(policy), Limits: web.Limits{TrustedProxies: behindProxy()}}})
	token := func(subject string) string {
		return "Authorization: Bearer " + i.token(claims{"sub": subject, "publish": "**", "manage": "**", "jti": time.Now().String()})
	}
	long := strings.Repeat("x", 100)
	for name, who := range map[string]struct {
		first, again string // headers
	}{
		"key job0":               {keys[0], keys[0]},
		"key job1":               {keys[1], keys[1]},
		`token of "alice"`:       {token("alice"), token("alice")},
		`token of "bob"`:         {token("bob"), token("bob")},
		"token of \"" + long[:9]: {token(long + "a"), token(long + "a")},
		"token of \"xxxxx":       {token(long + "b"), token(long + "b")},
		"token of nobody":        {token(""), token("")},
		"address 203.0.113.7":    {from("203.0.113.7"), from("203.0.113.7")},
		"address 203.0.113.8":    {from("203.0.113.8"), from("203.0.113.8")},
		"address 2001:db8::/64":  {from("2001:db8::1"), from("2001:db8::2")},
	} {
		if a := n.do(t, postTo("?topic=taken", jsonType, `[{"data":1},{"data":2},{"data":3}]`, who.first)); a.status != http.StatusOK {
			t.Fatalf("%s: a batch is answered %d %s", name, a.status, a.body)
		}
		for what, r := range map[string]request{"json": postTo("", jsonType, `{"topic":"no","data":1}`, who.again), "raw": postTo("?topic=no", "text/plain", "x", who.again),
			"batch": postTo("?topic=no", jsonType, `[{"data":1},{"data":2}]`, who.again), "end": endOf("no", "", who.again), "cancel": cancelOf("no", who.again)} {
			a := n.do(t, r)
			p := expectLimited(t, a, name, "faster than it may: 0.1 messages a second")
			if wait, _ := strconv.Atoi(a.header.Get("Retry-After")); p.Stored != "no" || p.Item != nil || wait < 25 || wait > 30 {
				t.Errorf("%s, %s: stored %q, item %v, Retry-After %d", name, what, p.Stored, p.Item, wait)
			}
		}
	}
	for range 30 {
		for _, free := range []string{keys[2], from("127.0.0.1")} { // who has no rate, and this machine
			if a := n.do(t, postTo("?topic=free", "text/plain", "x", free)); a.status != http.StatusOK {
				t.Fatalf("answered %d %s", a.status, a.body)
			}
		}
	}
	if texts := n.texts(t); strings.Contains(texts, "no ") || strings.Count(texts, "taken") != 30 || n.Web.LimitStats()[web.LimitPublish] != 50 {
		t.Errorf("%v are counted; there is %s", n.Web.LimitStats(), texts)
	}
}

// TestEndsCost: an end and a cancel are a message each.
func TestEndsCost(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]func(string, ...string) request{
		"end":    func(topic string, header ...string) request { return endOf(topic, "", header...) },
		"cancel": cancelOf,
	} {
		o, key := asKey(t, 0.2)
		n := startNode(t, o)
		for i := range 3 {
			if a := n.do(t, r(fmt.Sprint("t", i), key)); (a.status == http.StatusOK) != (i < 2) {
				t.Errorf("%s %d is answered %d", name, i, a.status)
			}
		}
	}
}

// TestSlowedStream: a stream in that is too fast is slowed down, and otherwise like
// any other.
func TestSlowedStream(t *testing.T) {
	t.Parallel()
	for contentType, body := range map[string]func(int) string{
		ndjsonType:          func(i int) string { return fmt.Sprintf("{\"topic\":\"t\",\"data\":%d}\n", i) },
		"text/event-stream": func(i int) string { return fmt.Sprintf("data: %d\n\n", i) },
	} {
		const fit, more = 200, 10
		o, key := asKey(t, fit/10)
		n := startNode(t, o)
		var text strings.Builder
		for i := range fit + more {
			text.WriteString(body(i))
		}
		query := "?producer=p&seq=0"
		if contentType != ndjsonType {
			query += "&topic=t"
		}
		begin := time.Now()
		a := n.do(t, postTo(query, contentType, text.String(), key))
		if took := time.Since(begin); a.status != http.StatusOK || took < more*time.Second/(fit/10)-time.Millisecond {
			t.Errorf("%s: answered %d %s after %v", contentType, a.status, a.body, took)
		}
		events := n.stored(t)
		for i, e := range events {
			if e.Data.Text != strconv.Itoa(i) {
				t.Fatalf("event %d is %q", i, e.Data.Text)
			}
		}
		if stats := n.Web.PublishStats(); len(events) != fit+more || stats.Slowed == 0 || n.Web.LimitStats()[web.LimitPublish] != 0 {
			t.Errorf("there are %d events; %+v", len(events), stats)
		}
		expectLimited(t, n.do(t, postTo("?topic=t", jsonType, "["+strings.Repeat(`{"data":1},`, 99)+`{"data":1}]`, key)), "20 messages a second")
	}
}

// TestSlowedStreamEnds: what waits for its rate does so for as long as somebody waits
// for it, and no longer.
func TestSlowedStreamEnds(t *testing.T) {
	t.Parallel()
	line := "{\"topic\":\"t\",\"data\":1}\n"
	for name, x := range map[string]struct {
		whole  bool // it comes to its end first
		end    func(*testing.T, *node, *upload)
		status int // of its answer; 0: it has none
	}{
		"the node ends":              {false, func(_ *testing.T, n *node, _ *upload) { n.Web.EndStreams() }, 503},
		"the node ends, all is sent": {true, func(_ *testing.T, n *node, _ *upload) { n.Web.EndStreams() }, 503},
		"the client leaves":          {false, func(_ *testing.T, _ *node, u *upload) { _ = u.conn.Close() }, 0},
		"it has sent all and leaves": {true, func(_ *testing.T, _ *node, u *upload) { _ = u.conn.Close() }, 0},
		"it leaves, at a mistake":    {false, func(_ *testing.T, _ *node, u *upload) { u.send("{}\n"); u.end(); _ = u.conn.Close() }, 0},
		"the topic ends": {true, func(t *testing.T, n *node, _ *upload) {
			m := event.Message{Topic: "t", End: event.Cancelled, EndOnly: true}
			if _, err := n.Bus.Publish(t.Context(), []event.Message{m}); err != nil {
				t.Error(err)
			}
		}, 409},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, key := asKey(t, event.MinRate)
			n := startNode(t, o)
			u := n.upload(t, "", ndjsonType, key)
			u.send(line + line)
			if x.whole {
				u.end()
			}
			until(t, "the second one waits", func() bool { return n.Web.PublishStats().Slowed == 1 && n.texts(t) == "t 1" })
			x.end(t, n, u)
			if x.status != 0 {
				p := expectProblem(t, u.answer(), x.status)
				if *p.Published != 1 || x.status == 503 && p.Stored != "no" {
					t.Errorf("%d were published, stored %q", *p.Published, p.Stored)
				}
			}
			until(t, "the stream is over", func() bool { return n.Web.PublishStats().Open == 0 })
		})
	}
}

// TestSlowedStreamExpires: who may not publish any more does not wait for it.
func TestSlowedStreamExpires(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: i.authorityOf(auth.Policy{Tokens: &auth.Tokens{Keys: i.keyFile(), PublishRate: event.MinRate}})}})
	u := n.upload(t, "?topic=t", ndjsonType, "Authorization: Bearer "+i.token(claims{"publish": "**", "exp": time.Now().Add(2 * time.Second).Unix()}))
	u.send("{\"data\":1}\n{\"data\":2}\n")
	if p := expectProblem(t, u.answer(), http.StatusUnauthorized, "expired"); *p.Published != 1 {
		t.Errorf("%d were published", *p.Published)
	}
}

// TestSlowedStreamIsTold: a client that prefers an answer to a long wait has one.
func TestSlowedStreamIsTold(t *testing.T) {
	t.Parallel()
	for prefer, told := range map[string]bool{"wait=1": true, "respond-async, Wait=1": true, "wait=100": false, "wait=soon": false, "wait=0": false, "": false} {
		o, key := asKey(t, event.MinRate)
		n := startNode(t, o)
		u := n.upload(t, "?topic=t", ndjsonType, key, "Prefer: "+prefer)
		u.send("{\"data\":1}\n{\"data\":2}\n")
		if !told {
			until(t, "the second one waits", func() bool { return n.Web.PublishStats().Slowed == 1 && n.texts(t) == "t 1" })
			n.Web.EndStreams()
			expectProblem(t, u.answer(), http.StatusServiceUnavailable)
			continue
		}
		p := expectLimited(t, u.answer(), "faster than it may")
		if *p.Published != 1 || *p.Item != 1 || p.Stored != "no" {
			t.Errorf("%q: %d were published, %+v", prefer, *p.Published, p)
		}
	}
}

// pennilessBus does not know who may publish how fast.
type pennilessBus struct{ *membus.Bus }

func (pennilessBus) Spend(context.Context, event.Allowance, int) error {
	return &event.UnavailableError{RetryAfter: 2 * time.Second, Err: errFault}
}

// TestRateUnknown: while the store is away nothing is published that it has to count.
func TestRateUnknown(t *testing.T) {
	t.Parallel()
	o, key := asKey(t, 100)
	o.Over = pennilessBus{membus.New(membus.Options{})}
	n := startNode(t, o)
	for _, r := range []request{postTo("?topic=t", "text/plain", "x", key), postTo("?topic=t", ndjsonType, "{\"data\":1}\n", key), endOf("t", "", key), cancelOf("t", key)} {
		a := n.do(t, r)
		if p := expectProblem(t, a, http.StatusServiceUnavailable); p.Stored != "no" || a.header.Get("Retry-After") != "2" {
			t.Errorf("%s: stored %q, Retry-After %s", r.path, p.Stored, a.header.Get("Retry-After"))
		}
	}
	if texts := n.texts(t); texts != "" {
		t.Errorf("there is %s", texts)
	}
}
