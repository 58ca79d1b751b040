package web_test

import (
	"net/http"
	"testing"

	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// TestTopicsAlive: who would begin a topic too many is told so, and others go on.
func TestTopicsAlive(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Bus: membus.Options{MaxTopics: 2}})
	n.publish(t, "a", "1")
	expect := func(a answer) problem {
		t.Helper()
		p := expectLimited(t, a, "--max-topics")
		if wait := a.header.Get("Retry-After"); p.Stored != "no" || wait != "60" {
			t.Errorf("stored %q, Retry-After %s", p.Stored, wait)
		}
		return p
	}
	if p := expect(n.do(t, postTo("", jsonType, `[{"topic":"a","data":2},{"topic":"b","data":2},{"topic":"c","data":2}]`))); p.Item == nil || *p.Item != 2 {
		t.Errorf("refused for message %v", p.Item)
	}
	n.publish(t, "b", "1")
	for _, r := range []request{postTo("?topic=c", "text/plain", "no"), endOf("c", ""), cancelOf("c")} {
		expect(n.do(t, r))
	}
	p := expect(n.do(t, postTo("", ndjsonType, "{\"topic\":\"a\",\"data\":3}\n{\"topic\":\"c\",\"data\":3}\n{\"topic\":\"a\",\"data\":4}\n")))
	if *p.Published != 1 || *p.Item != 1 || n.texts(t) != "a 1, a 3, b 1" {
		t.Errorf("%d were published, refused for message %d; there is %s", *p.Published, *p.Item, n.texts(t))
	}
	if a := n.do(t, endOf("b", "")); a.status != http.StatusOK {
		t.Errorf("the end of a topic is answered %d", a.status)
	}
	if counted := n.Web.LimitStats()[web.LimitAlive]; counted != 5 {
		t.Errorf("%d are counted", counted)
	}
}
