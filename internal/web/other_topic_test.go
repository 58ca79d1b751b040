package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"tickertape/internal/auth"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// marker is what nobody but bob may see.
const marker = "b0bs-s3cr3t"

// startPrivate starts a node on which each subject has the topics below its own,
// with something in those of bob.
func startPrivate(t *testing.T, o nodetest.Options) (*node, *issuer) {
	t.Helper()
	i := newIssuer(t)
	own := pattern(t, "user.{sub}.**")
	o.Web = web.Options{Authority: i.authorityOf(auth.Policy{Anonymous: auth.Rights{auth.Subscribe: selectors(t, "news.**")},
		Tokens: &auth.Tokens{Keys: i.keyFile(), Issuer: "login", Audience: "hub", Grants: auth.Grants{auth.Publish: own, auth.Subscribe: own, auth.Manage: own}}})}
	n := startNode(t, o)
	for _, topic := range []string{"user.bob.inbox", "user.bob", "user.bob.a.b", "user.Alice.inbox", "USER.alice.inbox", "user.alice", "user.alice~2e.inbox", "user.~2a.inbox"} {
		n.put(t, topic, marker)
	}
	return n, i
}

func pattern(t *testing.T, text string) []auth.Pattern {
	t.Helper()
	p, err := auth.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return []auth.Pattern{p}
}

// others are ways to write a topic that is another's, or none, or more than one.
func others() []string {
	all := []string{"user.bob.inbox", "user%2ebob%2einbox", "user%2Ebob%2Einbox", "user%252ebob%252einbox", "user.%62ob.inbox", "%75ser.bob.inbox",
		"user.bob%00.inbox", "user.bob.inbox%00", "user.alice.inbox%00.bob", "user.alice%00.inbox", "user%c0%aebob%c0%aeinbox", "user%e0%80%aebob%e0%80%aeinbox",
		"user%ef%bc%8ebob%ef%bc%8einbox", "user%e3%80%82bob%e3%80%82inbox", "user%e2%80%a4bob%e2%80%a4inbox", "user.b%d0%beb.inbox", "user.bob.inbox%e2%80%8b", "user.%efbob.inbox",
		"USER.BOB.INBOX", "User.bob.inbox", "user.Alice.inbox", "USER.alice.inbox", "user.alice.inbox.", ".user.alice.inbox", "user..alice.inbox", "user.alice..inbox",
		"user.alice...bob.inbox", "user.alice.%2e%2e.bob.inbox", "user.alice%2f..%2f..%2fbob.inbox", "user.alice%2f%2e%2e%2fbob", "..", "user.alice.inbox%2f..%2fuser.bob.inbox",
		"user~2ebob~2einbox", "user.alice~2e.inbox", "user.~2a.inbox", "user.bob", "user.alice", "user.alicebob.inbox", "user.bob.alice.inbox",
		"user.alice.inbox+user.bob.inbox", "user.alice.inbox,user.bob.inbox", "user.alice.inbox%20user.bob.inbox", "user.alice.inbox%0auser.bob.inbox", "user.alice.inbox%0d%0auser.bob.inbox",
		"user.alice.inbox%26topic=user.bob.inbox", "user.alice.inbox%3btopic=user.bob.inbox", "user.alice.inbox%23", "user.alice.inbox%3fx", "user.{sub}.inbox", "%7bsub%7d", "user.alice%5c.inbox",
		"user.%5bab%5dlice.inbox", "user.a?ice.inbox", "hub", "hub.open"}
	return all
}

// wider are selectors that take in more than is alice's.
func wider() []string {
	return []string{"user.*.inbox", "user.*", "user.**", "**", "*", "*.*.*", "*.alice.**", "user.bob.**", "user.bob.*", "user%2e*%2einbox", "user.*%2a", "user.%2a%2a", "%2a%2a", "user.ali*.inbox",
		"user.**.inbox", "user.alice*.**", "user.alice.**.**", "***", "user.alice.inbox,**", "user.alice.***", "USER.**", "user.*.**"}
}

// TestOthersTopics: however a topic is written, whoever may see the topics below
// its own name sees no other, on any route.
func TestOthersTopics(t *testing.T) { onWriters(t, othersTopics) }

func othersTopics(t *testing.T, o nodetest.Options) {
	n, i := startPrivate(t, o)
	token := "Authorization: Bearer " + i.token(nil)
	if got := n.first(t, get("/events?topic=user.alice.inbox", token)); got.status != http.StatusOK {
		t.Fatalf("her own topic: %d %s", got.status, got.body)
	}
	before := len(n.stored(t))
	for _, topic := range append(others(), wider()...) {
		asked := ways(topic)
		if strings.Contains(topic, "*") { // a literal one is none in a path or for publishing
			asked = append(asked, get("/topics?select="+topic))
		}
		for _, r := range asked {
			r.header = append(r.header, token)
			refusesOthers(t, n, r)
		}
	}
	if after := len(n.stored(t)); after != before {
		t.Errorf("%d messages were stored", after-before)
	}
}

// ways are the requests that name a topic.
func ways(topic string) []request {
	plain := func(query, body string) request { return postTo(query, "text/plain", body) }
	all := []request{get("/events?topic=" + topic), get("/events?topic=user.alice.inbox&topic=" + topic), get("/events?topic=" + topic + "&topic=user.alice.inbox&since=all"),
		get("/events?topic=" + topic + "&last=10&envelope=true"), get("/events?topic=" + topic + "&select=user.alice.**"), get("/topics?select=" + topic + "&select=user.alice.**"), get("/topics?topic=" + topic),
		plain("?topic="+topic, "x"), plain("?topic=user.alice.inbox&topic="+topic, "x"), postTo("?topic="+topic, sseType, "data: x\n\n"), postTo("?topic="+topic, ndjsonType, "{\"data\":1}\n"),
		postTo("?topic="+topic, jsonType, `{"data":1}`), postTo("", jsonType, fmt.Sprintf(`[{"topic":"user.alice.inbox","data":1},{"topic":%q,"data":1}]`, topic))}
	if utf8.ValidString(topic) {
		all = append(all, postTo("?topic=user.alice.inbox", jsonType, fmt.Sprintf(`{"topic":%q,"data":1}`, topic)))
	}
	for _, path := range []string{"/topics/" + topic, "/topics/" + topic + "/messages", "/topics/" + topic + "/messages?last=5", "/topics/user.alice.inbox/../" + topic + "/messages", "//topics/" + topic + "/messages"} {
		if topic != "hub.open" || !strings.Contains(path, "..") {
			all = append(all, get(path))
		}
	}
	return append(all, request{method: http.MethodPost, path: "/topics/" + topic + "/end"}, request{method: http.MethodPost, path: "/topics/" + topic + "/cancel"})
}

// refusesOthers checks that the request is refused and tells nothing.
func refusesOthers(t *testing.T, n *node, r request) {
	t.Helper()
	got := n.first(t, r)
	switch got.status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
	default:
		t.Errorf("%s %s %q: %d %s", r.method, r.path, r.body, got.status, got.body)
	}
	if strings.Contains(string(got.body), marker) || strings.Contains(string(got.body), "retained") {
		t.Errorf("%s %s: it tells %s", r.method, r.path, got.body)
	}
}

// TestHostileSubjects: whatever a token's subject is, its topics are below one
// segment of its own.
func TestHostileSubjects(t *testing.T) {
	t.Parallel()
	n, i := startPrivate(t, nodetest.Options{})
	seen := map[string]string{}
	for _, subject := range []string{"*", "**", "a.b", "bob.", ".bob", "../bob", "bob/../bob", "bob~", "bob~2e", "bob\x00", "bob\n", "bob\r\nevent: x", " bob", "bob ", "BOB", "bob%00", "%62ob", "b\u043eb", "\uff42ob",
		"bob.inbox", "bob.inbox.**", "{sub}", "*.inbox", "bob,alice", "bob\u200b", "\u202ebob", "~2a", "", strings.Repeat("x", 300), strings.Repeat("b", 3000)} {
		token := "Authorization: Bearer " + i.token(claims{"sub": subject})
		for _, topic := range []string{"user.bob.inbox", "user.**", "user.*.inbox", "user.bob.**", "**", "user.bob", "user.bob.inbox.**"} {
			for _, r := range []request{get("/events?topic="+topic+"&since=all", token), get("/topics?select="+topic, token)} {
				refusesOthers(t, n, r)
			}
		}
		for _, path := range []string{"/topics/user.bob.inbox/messages", "/topics/user.bob", "/topics"} {
			refusesOthers(t, n, get(path, token))
		}
		refusesOthers(t, n, postTo("?topic=user.bob.inbox", "text/plain", "x", token))
		if segment := auth.Segment(subject); segment != "" {
			if other, twice := seen[segment]; twice || strings.ContainsAny(segment, ".*/") {
				t.Errorf("%q and %q are both %s", subject, other, segment)
			}
			seen[segment] = subject
		}
	}
	bob := "Authorization: Bearer " + i.token(claims{"sub": "bob"})
	if got := n.do(t, get("/topics/user.bob.inbox/messages", bob)); got.status != http.StatusOK || !strings.Contains(string(got.body), marker) {
		t.Errorf("bob himself: %d %s", got.status, got.body)
	}
}

// TestClaimsWithinRights: a claim can widen what a token may do, for its issuer has
// signed it, but a {sub} in it is no more than the subject.
func TestClaimsWithinRights(t *testing.T) {
	t.Parallel()
	n, i := startPrivate(t, nodetest.Options{})
	for _, claim := range []any{"user.{sub}", "user.{sub}.*", "user.{sub}{sub}.**", "{sub}.**", []string{"user.{sub}.inbox"}, []string{}} {
		token := "Authorization: Bearer " + i.token(claims{"subscribe": claim, "sub": "*"})
		refusesOthers(t, n, get("/events?topic=user.bob.inbox", token))
		refusesOthers(t, n, get("/events?topic=user.*.inbox", token))
	}
	for _, claim := range []any{"user.{SUB}.**", "user.{sub.**", "", "user..bob", "user.b*b.inbox", map[string]string{"a": "**"}, 1, true, []any{"**", 1}, []any{[]string{"**"}}, nested("**")} {
		token := "Authorization: Bearer " + i.token(claims{"subscribe": claim})
		if got := n.first(t, get("/events?topic=user.alice.inbox", token)); got.status != http.StatusUnauthorized {
			t.Errorf("%v: %d %s", claim, got.status, got.body)
		}
	}
}

func nested(text string) any { return []any{map[string]any{"subscribe": text}} }
