package web_test

import (
	"encoding/json"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tickertape/internal/nodetest"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// wireTexts are texts that a store, its protocol, its scripts, or what is written
// there could take for more than a text.
var wireTexts = []string{"a", ".", ":", "/", "~", "@", "-", "_", "*", "?", "[", "]", "{", "}", "{0}", "tt:{0}:", "tt:{0}:clock", "log:", " ", "\n", "\r\n", "\x00", "\t", "\"", "'", "\\", "\\n", "%", "%00",
	"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n", "$-1\r\n", "+OK", "-ERR", "5:hello,", "1:", "0:,", "EVAL", "FLUSHALL", "SET a b", "return redis.call('FLUSHALL')", "]]", "--[[", "\" .. os.exit() .. \"", "KEYS[1]", "ARGV[1]",
	"1e400", "-1", "0-0", "9007199254740993", "nan", "\u2028", "\u00e9", "\U0001f600", "\ufeff", "\xff", "\xc0\xae"}

// wireText draws a text of them; now and then one that is as long as may be.
func wireText(t *rapid.T, label string, limit int) string {
	text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(wireTexts), 0, 8).Draw(t, label), "")
	switch rapid.IntRange(0, 9).Draw(t, label+" form") {
	case 0:
		return strings.Repeat("x", max(0, limit-len(text))) + text
	case 1, 2, 3, 4, 5, 6, 7: // it might do
		return strings.Map(func(r rune) rune {
			if r < ' ' || r == utf8.RuneError {
				return -1
			}
			return r
		}, text)
	}
	return text
}

// wireTopic draws a topic, good or not.
func wireTopic(t *rapid.T) string {
	text := wireText(t, "topic", 255)
	if rapid.IntRange(0, 3).Draw(t, "a good topic") == 0 {
		return text
	}
	good := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_~:@-", r)) {
			return r
		}
		return -1
	}, text)
	return good + rapid.SampledFrom([]string{"x", ".x", ":x", "-1", "~"}).Draw(t, "tail")
}

// wireMessage is a message as POST /publish takes it.
type wireMessage struct {
	Topic string          `json:"topic"`
	Event string          `json:"event,omitempty"`
	Key   string          `json:"key,omitempty"`
	Data  json.RawMessage `json:"data"`
	Once  string          `json:"idempotency_key,omitempty"`
	Lease string          `json:"lease,omitempty"`
	End   string          `json:"end,omitempty"`
}

// TestNothingIsInjected: whatever stands in the fields of messages and queries,
// what is accepted comes out of another node as it went in, and nothing else is
// in the store.
func TestNothingIsInjected(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var nodes [2]*node
	for i := range nodes {
		bus, err := redisbus.Open(redisbus.Options{URL: server.URL, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(bus.Close)
		nodes[i] = startNode(t, nodetest.Options{Over: bus})
		until(t, "the node is ready", func() bool { return nodes[i].do(t, get("/readyz")).status == 200 })
	}
	accepted := 0
	rapid.Check(t, func(rt *rapid.T) {
		written := func(label string, limit int) string { return strings.ToValidUTF8(wireText(rt, label, limit), "\ufffd") } // as JSON has it
		m := wireMessage{Topic: wireTopic(rt), Event: written("event", 128), Key: written("key", 128), Once: written("idempotency key", 128)}
		m.Data, _ = json.Marshal(written("data", 4000)) // never fails for a string
		if rapid.Bool().Draw(rt, "lease or end") {
			m.Lease = rapid.SampledFrom([]string{"", "30s", wireText(rt, "lease", 64)}).Draw(rt, "which lease")
			m.End = rapid.SampledFrom([]string{"", "failed", wireText(rt, "end", 64)}).Draw(rt, "which end")
		}
		query := "?event=" + url.QueryEscape(wireText(rt, "default", 128))
		if rapid.Bool().Draw(rt, "numbered") {
			query += "&seq=" + url.QueryEscape(rapid.SampledFrom([]string{"1", "9007199254740991", wireText(rt, "seq", 20)}).Draw(rt, "number")) + "&producer=" + url.QueryEscape(wireText(rt, "producer", 128))
		}
		body, _ := json.Marshal(m)
		a := nodes[0].do(t, postTo(query, jsonType, string(body)))
		switch {
		case a.status == 200:
			accepted++
			checkComesOut(t, rt, nodes[1], m)
		case a.status < 400 || a.status > 499:
			rt.Fatalf("%s: %d %s", body, a.status, a.body)
		}
		for _, path := range []string{"/topics?after=", "/topics?limit=3&select=", "/topics/x/messages?since=", "/topics/x/messages?last=", "/events?topic=x&last_event_id=", "/events?topic=x&since=", "/events?topic="} {
			if a := nodes[1].first(t, get(path+url.QueryEscape(wireText(rt, path, 255)))); a.status >= 500 {
				rt.Fatalf("%s: %d %s", path, a.status, a.body)
			}
		}
	})
	if accepted == 0 {
		t.Error("nothing was accepted: the test tests nothing")
	}
	checkKeys(t, server)
}

// told is a message as readers are told of it.
type told struct {
	Topic, Event, Key string
	Data              any // of an end an object
}

func (w wireMessage) is(got told) bool {
	var data string
	err := json.Unmarshal(w.Data, &data)
	return err == nil && got.Topic == w.Topic && got.Key == w.Key && got.Data == data && (got.Event == w.Event || w.Event == "")
}

// checkComesOut looks for a message at another node: in its history and on a stream.
func checkComesOut(t *testing.T, rt *rapid.T, n *node, m wireMessage) {
	var page struct{ Messages []told }
	a := n.do(t, get("/topics/"+url.PathEscape(m.Topic)+"/messages?last=10"))
	if err := json.Unmarshal(a.body, &page); err != nil || !slices.ContainsFunc(page.Messages, m.is) {
		rt.Fatalf("%+v has become %s, %v", m, a.body, err)
	}
	s := n.open(t, "?topic="+url.QueryEscape(m.Topic)+"&last=10&envelope=true")
	defer s.close()
	for range 10 + 2 { // with hub.open
		e := s.next()
		var got told
		if err := json.Unmarshal([]byte(e.Data), &got); err != nil {
			rt.Fatalf("%q: %v", e.Data, err)
		}
		if !strings.HasPrefix(e.Name, "hub.") && m.is(got) {
			return
		}
	}
	rt.Fatalf("%+v is not heard", m)
}

// checkKeys checks that all that the store holds is of kinds that a bus makes.
func checkKeys(t *testing.T, server *redistest.Server) {
	t.Helper()
	var all []string
	if err := server.JSON(&all, "KEYS", "*"); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"clock": "hash", "epochs": "hash", "topics": "zset", "names": "zset", "due": "zset", "log": "stream", "meta": "hash", "now": "hash", "nulls": "zset",
		"once": "string", "seq": "hash", "lane": "hash"}
	for _, key := range all {
		rest, ours := strings.CutPrefix(key, redisbus.DefaultPrefix)
		kind, _, _ := strings.Cut(rest, ":")
		if got, err := server.Do("TYPE", key); !ours || kinds[kind] == "" || err == nil && got != kinds[kind] && got != "none" {
			t.Errorf("the store holds %q, a %s", key, got)
		}
	}
	if spaces := server.Must("INFO", "keyspace"); len(all) < 5 || strings.Count(spaces, "\ndb") != 1 {
		t.Errorf("%d keys, %s", len(all), spaces)
	}
}
