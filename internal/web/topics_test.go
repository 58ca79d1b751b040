package web_test

import (
	"slices"
	"strings"
	"testing"

	"tickertape/internal/nodetest"
)

type topicState struct {
	Topic, Kind, State, Status string
	Retained                   int
	FirstID                    string `json:"first_id"`
	LastID                     string `json:"last_id"`
	Subscribers                int
}

type topicPage struct {
	Topics []topicState
	Next   string
}

func names(p topicPage) (names []string) {
	for _, s := range p.Topics {
		names = append(names, s.Topic)
	}
	return names
}

func TestTopicsAreListedInPages(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	if a := n.do(t, get("/topics")); string(a.body) != `{"topics":[]}` {
		t.Errorf("an empty hub: %s", a.body)
	}
	for _, name := range strings.Fields("quotes.MSFT chat.1 quotes.AAPL news quotes.AAPL.x Zebra") {
		n.publish(t, name, "x")
	}
	for query, want := range map[string]struct {
		names string
		next  string
	}{
		"":                            {"Zebra chat.1 news quotes.AAPL quotes.AAPL.x quotes.MSFT", ""},
		"?limit=2":                    {"Zebra chat.1", "chat.1"},
		"?limit=2&after=chat.1":       {"news quotes.AAPL", "quotes.AAPL"},
		"?limit=2&after=quotes.AAPL":  {"quotes.AAPL.x quotes.MSFT", ""},
		"?limit=6":                    {"Zebra chat.1 news quotes.AAPL quotes.AAPL.x quotes.MSFT", ""},
		"?limit=1000":                 {"Zebra chat.1 news quotes.AAPL quotes.AAPL.x quotes.MSFT", ""},
		"?after=o":                    {"quotes.AAPL quotes.AAPL.x quotes.MSFT", ""}, // need not be a topic
		"?after=quotes.MSFT":          {"", ""},
		"?select=quotes.*":            {"quotes.AAPL quotes.MSFT", ""},
		"?select=quotes.**":           {"quotes.AAPL quotes.AAPL.x quotes.MSFT", ""},
		"?select=quotes.**&limit=1":   {"quotes.AAPL", "quotes.AAPL"},
		"?select=*&after=Zebra":       {"news", ""},
		"?select=news":                {"news", ""},
		"?select=nothing":             {"", ""},
		"?select=quotes.*&after=zzzz": {"", ""},
	} {
		page := decode[topicPage](t, n.do(t, get("/topics"+query)))
		if got := strings.Join(names(page), " "); got != want.names || page.Next != want.next {
			t.Errorf("%q: got %q, next %q; want %q, %q", query, got, page.Next, want.names, want.next)
		}
	}
	rows := map[string]refusal{}
	for query, word := range map[string]string{"limit=0": "limit", "limit=1001": "1000", "limit=x": "limit", "limit=-1": "limit", "select=a*": "selector",
		"select=**.a": "selector", "select=hub.*": "reserved", "select=a..b": "empty segment", "limit=%zz": "query", "select=a%20b": "not allowed"} {
		rows[query] = refuse(400, get("/topics?"+query), word)
	}
	expectRefusals(t, n, rows)
}

func TestTopicDescribesItself(t *testing.T) {
	t.Parallel()
	o := nodetest.Options{}
	o.Bus.Retention.Messages = 2
	n := startNode(t, o)
	n.publish(t, "news", "1")
	first, last := n.publish(t, "news", "2"), n.publish(t, "news", "3")
	want := topicState{Topic: "news", Kind: "log", State: "open", Retained: 2, FirstID: first, LastID: last}
	if got := decode[topicState](t, n.do(t, get("/topics/news"))); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	streams := []*listener{n.open(t, "?topic=news"), n.open(t, "?topic=news&topic=other")}
	want.Subscribers = 2
	if got := decode[topicState](t, n.do(t, get("/topics/news"))); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := decode[topicPage](t, n.do(t, get("/topics"))); !slices.Equal(got.Topics, []topicState{want}) {
		t.Errorf("listed as %+v, want %+v alone", got, want)
	}
	for _, s := range streams {
		s.close()
	}
	n.awaitOpen(t, 0)
	want.Subscribers = 0
	if got := decode[topicState](t, n.do(t, get("/topics/news"))); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	expectRefusals(t, n, map[string]refusal{
		"unknown":           refuse(404, get("/topics/other"), "no such topic"),
		"unknown, messages": refuse(404, get("/topics/other/messages"), "no such topic"),
		"bad":               refuse(400, get("/topics/a%20b"), "topic", "not allowed"),
		"reserved":          refuse(400, get("/topics/hub.x/messages"), "topic", "reserved"),
		"selector":          refuse(400, get("/topics/n*"), "topic", "not allowed"),
	})
}
