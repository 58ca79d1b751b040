package web_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tickertape/internal/auth"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

// behindProxy is whom a node trusts that clients on this machine may speak for
// anybody.
func behindProxy() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24")}
}

// from is what the proxy says of a client.
func from(address string) string { return "X-Forwarded-For: " + address }

// expectLimited: the request ends at a limit, and is told when to try again.
func expectLimited(t *testing.T, a answer, words ...string) problem {
	t.Helper()
	p := expectProblem(t, a, http.StatusTooManyRequests, words...)
	if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait < 1 {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	return p
}

// TestStreamsOfAnAddress: an address has no more streams, out and in, than it may. Who
// has left, in whatever way, leaves room.
func TestStreamsOfAnAddress(t *testing.T) { onWriters(t, streamsOfAnAddress) }

func streamsOfAnAddress(t *testing.T, o nodetest.Options) {
	o.Web.Limits = web.Limits{PerAddress: 2, TrustedProxies: behindProxy()}
	n := startNode(t, o)
	one, other := from("2001:db8::1:2:3:4"), from("2001:db8:0:1::1")
	first := n.open(t, "?topic=news", one)
	first.opened(false)
	in := n.upload(t, "?topic=t", ndjsonType, from("2001:db8::5")) // the same /64
	in.send("{\"data\":1}\n")
	until(t, "it is published", func() bool { return n.texts(t) == "t 1" })

	n.expectSentAwayFor(t, 8*time.Second, 12*time.Second, one)
	more := n.upload(t, "?topic=t", ndjsonType, one)
	more.send("{\"data\":2}\n")
	if p := expectLimited(t, more.answer(), "2001:db8::/64", "2"); *p.Published != 0 || n.texts(t) != "t 1" {
		t.Errorf("%d were published, %s", *p.Published, n.texts(t))
	}
	n.open(t, "?topic=news", other).opened(false)
	n.open(t, "?topic=news", from("127.0.0.1")).opened(false) // this machine: not counted

	in.end()
	in.answer()
	for _, bad := range []string{"?topic=", "?topic=hub.x", "?topic=a&since=x"} { // a mistake takes no room
		if a := n.first(t, get("/events"+bad, one)); a.status != http.StatusBadRequest && a.status != http.StatusOK {
			t.Errorf("%s is answered %d", bad, a.status)
		}
	}
	until(t, "there is room for a stream in", func() bool {
		return n.do(t, postTo("?topic=t", ndjsonType, "{\"data\":3}\n", one)).status == http.StatusOK
	})
	first.close()
	until(t, "the stream has left", func() bool {
		return n.first(t, get("/events?topic=t", one)).status == 200 && n.Web.LimitStats()[web.LimitAddress] > 0
	})
	again := func() bool {
		s := n.open(t, "?topic=news", one)
		defer s.close()
		_, err := s.events.Next()
		return err == nil
	}
	until(t, "there is room again", again)
	if away := n.Streams.Stats().Away[stream.Address]; away == 0 || n.Web.LimitStats()[web.LimitAddress] < away+1 {
		t.Errorf("%d streams away, %v", away, n.Web.LimitStats())
	}
}

// TestWhoseAddress: what a client says of itself counts nowhere, what a trusted proxy
// says does.
func TestWhoseAddress(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name    string
		trusts  []netip.Prefix
		header  []string
		limited string // the address that is found to have too many; nothing: nobody is counted
	}{
		{"no proxy is trusted", nil, []string{from("203.0.113.7")}, ""},
		{"another proxy is trusted", behindProxy()[1:], []string{from("203.0.113.7")}, ""},
		{"a trusted one", behindProxy(), []string{from("203.0.113.7")}, "203.0.113.7"},
		{"the client said something before", behindProxy(), []string{from("198.51.100.1, 203.0.113.7")}, "203.0.113.7"},
		{"it said so in a line of its own", behindProxy(), []string{from("198.51.100.1"), from("203.0.113.7")}, "203.0.113.7"},
		{"it says to be this machine", behindProxy(), []string{from("127.0.0.1, 203.0.113.7")}, "203.0.113.7"},
		{"two proxies", behindProxy(), []string{from("198.51.100.1, 203.0.113.7, 192.0.2.1")}, "203.0.113.7"},
		{"a private address", behindProxy(), []string{from("10.1.2.3")}, "10.1.2.3"},
		{"in other letters", behindProxy(), []string{"x-forwarded-for: 203.0.113.7"}, "203.0.113.7"},
		{"no address", behindProxy(), []string{from("203.0.113.7, unknown")}, ""},
		{"nothing", behindProxy(), []string{from("")}, ""},
		{"another header", behindProxy(), []string{"X-Real-IP: 203.0.113.7", "Forwarded: for=203.0.113.7", "True-Client-IP: 203.0.113.7", "CF-Connecting-IP: 203.0.113.7"}, ""},
		{"an address of version 4 in one of 6", behindProxy(), []string{from("::ffff:203.0.113.7")}, "203.0.113.7"},
	} {
		n := startNode(t, nodetest.Options{Web: web.Options{Limits: web.Limits{Requests: 0.1, TrustedProxies: x.trusts}}})
		first, second := n.do(t, get("/topics", x.header...)), n.do(t, get("/topics", x.header...))
		if first.status != http.StatusOK {
			t.Errorf("%s: the first is answered %d %s", x.name, first.status, first.body)
		}
		if x.limited == "" {
			if second.status != http.StatusOK {
				t.Errorf("%s: it is counted: %s", x.name, second.body)
			}
			continue
		}
		expectLimited(t, second, "the address "+x.limited+" asks")
	}
}

// TestStreamsOfASubject: tokens of one subject have no more streams than they may, on
// whichever addresses.
func TestStreamsOfASubject(t *testing.T) { onWriters(t, streamsOfASubject) }

func streamsOfASubject(t *testing.T, o nodetest.Options) {
	i := newIssuer(t)
	o.Web = web.Options{Authority: i.authority(auth.Rights{auth.Subscribe: selectors(t, "**")}), Limits: web.Limits{PerSubject: 1}}
	n := startNode(t, o)
	alice := "Authorization: Bearer " + i.token(claims{"subscribe": "**", "publish": "**"})
	first := n.open(t, "?topic=news", alice)
	first.opened(false)
	n.expectSentAwayFor(t, 8*time.Second, 12*time.Second, "Authorization: Bearer "+i.token(claims{"subscribe": "news"}))
	in := n.upload(t, "?topic=t", ndjsonType, alice)
	in.send("{\"data\":1}\n")
	expectLimited(t, in.answer(), "subject", "1")
	n.open(t, "?topic=news", "Authorization: Bearer "+i.token(claims{"sub": "bob", "subscribe": "**"})).opened(false)
	n.open(t, "?topic=news").opened(false)
	n.open(t, "?topic=news").opened(false)
	first.close()
	n.awaitOpen(t, 3)
	until(t, "there is room again", func() bool {
		s := n.open(t, "?topic=news", alice)
		defer s.close()
		_, err := s.events.Next()
		return err == nil
	})
	if n.Streams.Stats().Away[stream.Subject] == 0 || n.Web.LimitStats()[web.LimitSubject] < 2 {
		t.Errorf("%v, %v", n.Streams.Stats().Away, n.Web.LimitStats())
	}
}

// TestRequestsOfAnAddress: who asks too often is answered 429, a stream 200; who shows
// credentials that are none is not heard any more, who shows a good one always is.
func TestRequestsOfAnAddress(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	n := startNode(t, nodetest.Options{Web: web.Options{Authority: i.authority(auth.Rights{auth.Subscribe: selectors(t, "**")}),
		Limits: web.Limits{Requests: 0.5, TrustedProxies: behindProxy()}}}) // five at once
	n.put(t, "news", "hi")
	for k := range 5 {
		path := []string{"/topics", "/topics/news", "/topics/news/messages", "/events?topic=news", "/topics?limit=1"}[k]
		if a := n.first(t, get(path, from("203.0.113.1"))); a.status != http.StatusOK {
			t.Fatalf("%s is answered %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"/topics", "/topics/news", "/topics/news/messages"} {
		expectLimited(t, n.do(t, get(path, from("203.0.113.1"))), "203.0.113.1", "0.5 times a second")
	}
	n.expectSentAwayFor(t, 800*time.Millisecond, 3*time.Second, from("203.0.113.1"))
	for _, path := range []string{"/healthz", "/readyz", "/", "/tickertape.js", "/openapi.yaml"} {
		if a := n.do(t, get(path, from("203.0.113.1"))); a.status != http.StatusOK {
			t.Errorf("%s is answered %d", path, a.status)
		}
	}

	good := "Authorization: Bearer " + i.token(claims{"publish": "**"})
	for k := range 12 {
		a := n.do(t, postTo("?topic=news", "text/plain", "x", from("203.0.113.2"), good))
		if a.status != http.StatusOK {
			t.Fatalf("publish %d of a good one is answered %d %s", k, a.status, a.body)
		}
	}
	bad := "Authorization: Bearer " + i.token(claims{"exp": 1000})
	for range 5 {
		expectProblem(t, n.do(t, postTo("?topic=news", "text/plain", "x", from("203.0.113.3"), bad)), http.StatusUnauthorized, "expired")
	}
	if p := expectLimited(t, n.do(t, postTo("?topic=news", "text/plain", "x", from("203.0.113.3"), bad)), "203.0.113.3"); p.Stored != "no" {
		t.Errorf("stored: %q", p.Stored)
	}
	expectLimited(t, n.do(t, postTo("?topic=news", "text/plain", "x", from("203.0.113.3"), good)), "203.0.113.3")
	if n.Web.LimitStats()[web.LimitRequests] != 6 {
		t.Errorf("%v", n.Web.LimitStats())
	}
}

// TestOpensOfANode: of a crowd no more get their streams than may in a second; the
// others are told to come back one after the other.
func TestOpensOfANode(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Web: web.Options{Limits: web.Limits{Opens: 0.5}}})
	n.open(t, "?topic=news").opened(false)
	const each, late = 2500 * time.Millisecond, 500 * time.Millisecond
	n.expectSentAwayFor(t, time.Second, time.Second)
	n.expectSentAwayFor(t, time.Second+each-late, time.Second+each)
	n.expectSentAwayFor(t, time.Second+2*each-late, time.Second+2*each)
	if a := n.do(t, get("/topics")); a.status != http.StatusOK {
		t.Errorf("other requests are answered %d", a.status)
	}
	if n.Streams.Stats().Away[stream.Busy] != 3 || n.Web.LimitStats()[web.LimitOpens] != 3 || n.Streams.Open() != 1 {
		t.Errorf("%v, %v", n.Streams.Stats(), n.Web.LimitStats())
	}
}

// TestSizes: what a message and a stream may have is the node's to say.
func TestSizes(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Web: web.Options{Limits: web.Limits{Message: 10, Topics: 2}}})
	for _, x := range []struct{ media, body, query string }{
		{"text/plain", strings.Repeat("x", 11), "?topic=t"},
		{jsonType, `{"topic":"t","data":"12345678901"}`, ""},
		{jsonType, `[{"topic":"t","data":"1"},{"topic":"t","data":"12345678901"}]`, ""},
	} {
		p := expectProblem(t, n.do(t, postTo(x.query, x.media, x.body)), http.StatusRequestEntityTooLarge, "10 bytes")
		if (p.Item != nil) != strings.HasPrefix(x.body, "[") {
			t.Errorf("%s: item %v", x.body, p.Item)
		}
	}
	if stored := n.stored(t); len(stored) > 0 {
		t.Errorf("stored %v", stored)
	}
	expectStop(t, n, n.do(t, postTo("?topic=t", ndjsonType, "{\"data\":\"1234567890\"}\n{\"data\":\"12345678901\"}\n")), http.StatusRequestEntityTooLarge, "line 2", "t 1234567890")
	if a := n.first(t, get("/events?topic=a&topic=b&topic=a")); a.status != http.StatusOK {
		t.Errorf("two topics are answered %d", a.status)
	}
	expectProblem(t, n.do(t, get("/events?topic=a&topic=b&topic=c.*")), http.StatusBadRequest, "3 times", "at most 2")
	if got := n.Web.LimitStats(); got[web.LimitSize] != 4 || got[web.LimitTopics] != 1 {
		t.Errorf("%v", got)
	}
}

// TestSilence: a stream in that brings nothing for too long ends, and is told how far
// it came; one that brings a blank line now and then goes on.
func TestSilence(t *testing.T) {
	t.Parallel()
	const silence = 300 * time.Millisecond
	n := startNode(t, nodetest.Options{Web: web.Options{Limits: web.Limits{Silence: silence}}})
	silent, lively := n.upload(t, "?topic=t", ndjsonType), n.upload(t, "?topic=u", ndjsonType)
	begin := time.Now()
	silent.send("{\"data\":1}\n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			lively.send("\n")
			<-time.After(silence / 10)
		}
	}()
	p := expectProblem(t, silent.answer(), http.StatusRequestTimeout, "nothing came", "blank line")
	if took := time.Since(begin); took < silence || *p.Published != 1 {
		t.Errorf("it ended after %v, with %d published", took, *p.Published)
	}
	<-done
	lively.send("{\"data\":2}\n")
	lively.end()
	if got := decode[streamed](t, lively.answer()); got.Published != 1 {
		t.Errorf("the other one published %d", got.Published)
	}
	if got := n.Web.LimitStats()[web.LimitSilence]; got != 1 {
		t.Errorf("%d are counted", got)
	}
}

// TestBodyTime: a body that is no stream has its time.
func TestBodyTime(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Web: web.Options{Limits: web.Limits{BodyTime: 200 * time.Millisecond}}})
	u := n.upload(t, "?topic=t", "text/plain")
	u.send("half a")
	expectProblem(t, u.answer(), http.StatusRequestTimeout, "too long")
	if got := n.Web.LimitStats()[web.LimitBodyTime]; got != 1 || len(n.stored(t)) > 0 {
		t.Errorf("%d are counted, stored %v", got, n.stored(t))
	}
}

// TestUnfinishedMessages: all streams in together keep no more of unfinished messages
// than they may; what a stream has finished leaves room.
func TestUnfinishedMessages(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Web: web.Options{Limits: web.Limits{IntakeSize: 256 << 10}}})
	half := strings.Repeat("x", 200<<10)
	for _, media := range []string{ndjsonType, sseType} {
		begin, end := "{\"data\":\"", "\"}\n"
		if media == sseType {
			begin, end = "data: ", "\n\n"
		}
		first := n.upload(t, "?topic=t", media)
		first.send("\n" + begin + half)
		until(t, "it is counted", func() bool { return n.Web.PublishStats().Unfinished >= int64(len(half))-(64<<10) })
		second := n.upload(t, "?topic=t", media)
		second.send("\n" + begin + half)
		p := expectProblem(t, second.answer(), http.StatusServiceUnavailable, "unfinished")
		if p.Stored != "no" || *p.Published != 0 {
			t.Errorf("%+v", p)
		}
		before := len(n.stored(t))
		for range 3 {
			first.send(end + begin + half) // each in its turn
		}
		first.send(end)
		first.end()
		if got := decode[streamed](t, first.answer()); got.Published != 4 || len(n.stored(t)) != before+4 {
			t.Errorf("the other one published %d", got.Published)
		}
		until(t, "all is given back", func() bool { return n.Web.PublishStats().Unfinished == 0 })
	}
	if got := n.Web.LimitStats()[web.LimitIntake]; got != 2 {
		t.Errorf("%d are counted", got)
	}
}

// strangers is a listener whose clients seem to come from another address.
type strangers struct {
	net.Listener
	address netip.Addr
}

type strange struct {
	net.Conn
	from net.Addr
}

func (s strangers) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return strange{c, net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.address, 4711))}, nil
}

func (s strange) RemoteAddr() net.Addr { return s.from }

// TestConnectionsOfAnAddress: of connections with which nothing is done an address has
// no more than it may; those of this machine, and of proxies, are not counted.
func TestConnectionsOfAnAddress(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		address string
		most    int32
	}{{"203.0.113.7", 3}, {"2001:db8::7", 3}, {"127.0.0.1", 8}, {"10.0.0.7", 8}, {"192.0.2.7", 8}} {
		t.Run(x.address, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, nodetest.Options{Web: web.Options{Limits: web.Limits{Conns: 3, TrustedProxies: behindProxy()}}})
			server := httptest.NewUnstartedServer(n.Web)
			server.Listener = strangers{server.Listener, netip.MustParseAddr(x.address)}
			var open atomic.Int32
			server.Config.ConnState = func(c net.Conn, state http.ConnState) {
				switch state {
				case http.StateNew:
					open.Add(1)
				case http.StateClosed:
					open.Add(-1)
				}
				n.Web.ConnState(c, state)
			}
			server.Start()
			t.Cleanup(server.Close)
			all := make([]net.Conn, 8)
			for i := range all {
				all[i] = dialTo(t, server.Listener.Addr().String())
			}
			until(t, "as many are open as may", func() bool {
				return open.Load() == x.most && n.Web.LimitStats()[web.LimitConns] == uint64(8-x.most)
			})
			for _, c := range all {
				_ = c.Close()
			}
			until(t, "all are closed", func() bool { return open.Load() == 0 })
			c := dialTo(t, server.Listener.Addr().String())
			send(t, c, "GET /healthz HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
			if text := rest(t, c); !strings.HasPrefix(text, "HTTP/1.1 200") {
				t.Errorf("answered %q", text)
			}
		})
	}
}
