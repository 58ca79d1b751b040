package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/nodetest"
)

func TestPublishForms(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	text := event.Data{Text: "hi"}
	for name, c := range map[string]struct {
		request
		want event.Event
	}{
		"no content type":  {postTo("?topic=t", "", "hi"), event.Event{Topic: "t", Data: text}},
		"plain":            {postTo("?topic=t", "text/plain", "hi"), event.Event{Topic: "t", Data: text}},
		"plain, charset":   {postTo("?topic=t", "Text/Plain; charset=UTF-8", "hi"), event.Event{Topic: "t", Data: text}},
		"binary":           {postTo("?topic=t", "application/octet-stream", "hi"), event.Event{Topic: "t", Data: text}},
		"curl -d":          {postTo("?topic=t", "application/x-www-form-urlencoded", "a=1&b=%20"), event.Event{Topic: "t", Data: event.Data{Text: "a=1&b=%20"}}},
		"raw JSON is text": {postTo("?topic=t", "text/plain", `{"data": 1}`), event.Event{Topic: "t", Data: event.Data{Text: `{"data": 1}`}}},
		"query":            {postTo("?topic=t&event=e&key=k", "", "hi"), event.Event{Topic: "t", Name: "e", Key: "k", Data: text}},
		"line ends, NUL":   {postTo("?topic=t", "", "a\r\n\n\rid: 1\x00"), event.Event{Topic: "t", Data: event.Data{Text: "a\r\n\n\rid: 1\x00"}}},
		"identity":         {postTo("?topic=t", "", "hi", "Content-Encoding: identity"), event.Event{Topic: "t", Data: text}},
		"object":           {postTo("", jsonType, `{"topic":"t","event":"e","key":"k","data":"hi"}`), event.Event{Topic: "t", Name: "e", Key: "k", Data: text}},
		"object, charset":  {postTo("", jsonType+"; charset=utf-8", ` {"topic":"t","data":"hi"}`), event.Event{Topic: "t", Data: text}},
		"value":            {postTo("", jsonType, `{"topic":"t","data":{ "a": 1.0 }}`), event.Event{Topic: "t", Data: event.Data{Text: `{"a":1.0}`, JSON: true}}},
		"defaults":         {postTo("?topic=t&event=e&key=k", jsonType, `{"data":"hi"}`), event.Event{Topic: "t", Name: "e", Key: "k", Data: text}},
		"body wins":        {postTo("?topic=x&event=x&key=x", jsonType, `{"topic":"t","event":"e","key":"k","data":"hi"}`), event.Event{Topic: "t", Name: "e", Key: "k", Data: text}},
		"longest fields": {postTo("?event="+strings.Repeat("e", 128)+"&key="+strings.Repeat("k", 128)+"&topic="+strings.Repeat("t", 255), "", strings.Repeat("d", 256<<10)),
			event.Event{Topic: event.Topic(strings.Repeat("t", 255)), Name: strings.Repeat("e", 128), Key: strings.Repeat("k", 128), Data: event.Data{Text: strings.Repeat("d", 256<<10)}}},
		"longest JSON": {postTo("?topic=t", jsonType, `{"data":"`+strings.Repeat("d", 256<<10)+`"}`), event.Event{Topic: "t", Data: event.Data{Text: strings.Repeat("d", 256<<10)}}},
	} {
		r := decode[receipt](t, n.do(t, c.request))
		c.want.Topic = event.Topic(r.Topic)
		got := n.find(t, r.ID)
		if got.Topic != c.want.Topic || got.Name != c.want.Name || got.Key != c.want.Key || got.Data != c.want.Data || r.Duplicate {
			t.Errorf("%s: stored %.300v, want %.300v", name, got, c.want)
		}
	}
}

// find returns the event that a receipt names.
func (n *node) find(t *testing.T, id string) event.Event {
	t.Helper()
	for _, e := range n.stored(t) {
		if e.Cursor().String() == id {
			return e
		}
	}
	t.Errorf("%q is not stored", id)
	return event.Event{}
}

func TestPublishBatch(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	type results struct{ Results []receipt }
	got := decode[results](t, n.do(t, postTo("?topic=b&event=e", jsonType, `[{"topic":"a","data":"1"},{"data":2},{"topic":"a","event":"f","data":"3"}]`))).Results
	var words []string
	for i, r := range got {
		e := n.find(t, r.ID)
		words = append(words, r.Topic, e.Name, e.Data.Text)
		if i > 0 && !e.Position.After(n.find(t, got[i-1].ID).Position) {
			t.Errorf("message %d stands before the one before it", i)
		}
	}
	if want := "a e 1 b e 2 a f 3"; strings.Join(words, " ") != want {
		t.Errorf("got %q, want %q", words, want)
	}
	largest := "[" + strings.TrimSuffix(strings.Repeat(`{"topic":"large","data":1},`, 1000), ",") + "]"
	if got := decode[results](t, n.do(t, postTo("", jsonType, largest))).Results; len(got) != 1000 {
		t.Errorf("%d results for 1000 messages", len(got))
	}
}

// refusal is a request that must not publish anything.
type refusal struct {
	request
	status int
	words  []string // that its detail or hint must have
}

func refuse(status int, r request, words ...string) refusal { return refusal{r, status, words} }

// expectRefusals sends the requests. Nothing may have been stored by them.
func expectRefusals(t *testing.T, n *node, rows map[string]refusal) {
	t.Helper()
	n.publish(t, "before", "1")
	before := n.stored(t)
	for name, row := range rows {
		a := n.do(t, row.request)
		t.Run(name, func(t *testing.T) { expectProblem(t, a, row.status, row.words...) })
		if after := n.stored(t); len(after) != len(before) {
			t.Errorf("%s: stored %.300v", name, after)
			before = after
		}
	}
}

func TestPublishRefusesBadBodies(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	object := func(body string) request { return postTo("?topic=news", jsonType, body) }
	large := strings.Repeat("x", 256<<10+1)
	expectRefusals(t, n, map[string]refusal{
		"no JSON":            refuse(400, object("data=1"), "body", "JSON", "byte"),
		"cut JSON":           refuse(400, object(`{"data":"x`), "body", "JSON"),
		"empty":              refuse(400, object(""), "body", "JSON"),
		"two values":         refuse(400, object(`{"data":1}{"data":2}`), "body", "JSON"),
		"no object":          refuse(400, object(`"x"`), "object"),
		"null":               refuse(400, object(`null`), "data", "missing"),
		"unknown field":      refuse(400, object(`{"data":1,"evnet":"x"}`), "unknown", "evnet"),
		"wrong case":         refuse(400, object(`{"Data":1}`), "unknown", "Data"),
		"duplicate field":    refuse(400, object(`{"data":1,"data":2}`), "duplicate", "data"),
		"duplicate in data":  refuse(400, object(`{"data":{"a":1,"a":2}}`), "duplicate", "/data/a"),
		"topic: number":      refuse(400, object(`{"data":1,"topic":1}`), "topic", "string"),
		"event: object":      refuse(400, object(`{"data":1,"event":{}}`), "event", "string"),
		"key: bool":          refuse(400, object(`{"data":1,"key":true}`), "key", "string"),
		"key of a retry":     refuse(400, object(`{"data":1,"idempotency_key":[]}`), "idempotency_key", "string"),
		"no data":            refuse(400, object(`{"topic":"news"}`), "data", "missing"),
		"null data":          refuse(400, object(`{"data":null}`), "data", "null"),
		"no topic":           refuse(400, postTo("", jsonType, `{"data":1}`), "topic", "missing"),
		"raw, no topic":      refuse(400, postTo("", "", "hi"), "topic", "?topic=news"),
		"raw JSON":           refuse(400, postTo("", "", `{"topic":"news","data":1}`), "topic", "use -H 'Content-Type: application/json'"),
		"raw JSON of curl":   refuse(400, postTo("", "application/x-www-form-urlencoded", " \n[1]"), "use -H 'Content-Type: application/json'"),
		"raw too large":      refuse(413, postTo("?topic=news", "", large), "256 KiB"),
		"raw, far too large": refuse(413, postTo("?topic=news", "", strings.Repeat("x", 5<<20)), "256 KiB"),
		"string too large":   refuse(413, object(`{"data":"`+large+`"}`), "256 KiB"),
		"value too large":    refuse(413, object(`{"data":["`+large+`"]}`), "256 KiB"),
		"body too large":     refuse(413, object(`{"data":"x"}`+strings.Repeat(" ", 4<<20)), "4 MiB"),
		"batch of 1001":      refuse(413, object("["+strings.Repeat(`{"data":1},`, 1000)+`{"data":1}]`), "1000"),
		"empty batch":        refuse(400, object(` [ ] `), "empty"),
		"cut batch":          refuse(400, object(`[{"data":1},{"data":2}`), "JSON"),
		"behind the batch":   refuse(400, object(`[{"data":1}] {"data":2}`), "body"),
		"batch with key":     refuse(400, postTo("?topic=news", jsonType, `[{"data":1}]`, "Idempotency-Key: k"), "Idempotency-Key"),
	})
}

func TestPublishNamesTheBadItem(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	for item, status := range map[string]int{
		`{}`: 400, `7`: 400, `{"data":1,"x":1}`: 400, `{"data":"\ud800"}`: 400, "{\"data\":\"\xff\"}": 400,
		`{"data":1,"event":"open"}`: 400, `{"data":1,"topic":"a b"}`: 400,
		`{"data":"` + strings.Repeat("x", 300<<10) + `"}`:        413,
		`{"data":"other","topic":"keyed","idempotency_key":"k"}`: 422,
	} {
		body := `[{"data":1},{"data":1,"topic":"keyed","idempotency_key":"k"},` + item + `,{"data":3}]`
		p := expectProblem(t, n.do(t, postTo("?topic=news", jsonType, body)), status, "message 2")
		if p.Item == nil || *p.Item != 2 {
			t.Errorf("%.60s: item %v, want 2", item, p.Item)
		}
	}
	if stored := n.stored(t); len(stored) > 0 {
		t.Errorf("stored %.300v", stored)
	}
}

func TestPublishRefusesBadFields(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	rows := map[string]refusal{
		"long query":          refuse(400, postTo("?topic=news&key="+strings.Repeat("k", 7<<10), "", "hi"), "query", "7168"),
		"bad escape":          refuse(400, postTo("?topic=news&key=%zz", "", "hi"), "query", "%zz"),
		"semicolon":           refuse(400, postTo("?topic=news;key=k", "", "hi"), "query", "semicolon"),
		"raw data not UTF-8":  refuse(400, postTo("?topic=news", "", "a\xffb"), "data", "UTF-8"),
		"raw data, surrogate": refuse(400, postTo("?topic=news", "", "\xed\xa0\x80"), "data", "UTF-8"),
		"data not UTF-8":      refuse(400, postTo("?topic=news", jsonType, "{\"data\":\"\xff\"}"), "UTF-8"),
		"half surrogate":      refuse(400, postTo("?topic=news", jsonType, `{"data":"\ud800"}`), "surrogate"),
		"other half":          refuse(400, postTo("?topic=news", jsonType, `{"data":{"a":["\udc00 "]}}`), "surrogate"),
		"header not UTF-8":    refuse(400, postTo("?topic=news", "", "hi", "Idempotency-Key: \xff"), "idempotency_key", "UTF-8"),
		"long header":         refuse(400, postTo("?topic=news", "", "hi", "Idempotency-Key: "+strings.Repeat("k", 129)), "idempotency_key", "129", "128"),
	}
	for field, values := range map[string]map[string]string{
		"topic": {"": "missing", strings.Repeat("t", 256): "256", "a b": "not allowed", "a/b": "not allowed", "é": "not allowed", "a*": "not allowed",
			"*": "not allowed", "a..b": "empty segment", ".a": "empty segment", "a.": "empty segment", "hub": "reserved", "hub.x": "reserved",
			"a\r": "not allowed", "a\nb": "not allowed", "a\x00": "not allowed", "\u2028": "not allowed"},
		"event": {"error": "reserved", "open": "reserved", "hub": "reserved", "hub.gap": "reserved", strings.Repeat("e", 129): "129",
			"a\rb": "control", "a\nb": "control", "a\x00": "control", "a\tb": "control", "\x7f": "control", "\u0085": "control"},
		"key":             {strings.Repeat("k", 129): "129", "a\r": "control", "\n": "control", "\x00": "control"},
		"idempotency_key": {strings.Repeat("k", 129): "129", "a\r": "control", "\n": "control", "\x00": "control"},
	} {
		for value, word := range values {
			quoted, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			rows["JSON "+field+string(quoted)] = refuse(400, postTo("", jsonType, fieldBody(field, string(quoted))), field, word)
			if field != "idempotency_key" {
				rows["query "+field+string(quoted)] = refuse(400, postTo("?"+fieldQuery(field, value), "", "hi"), field, word)
			}
		}
		rows[field+" not UTF-8"] = refuse(400, postTo("", jsonType, fieldBody(field, "\"a\xffb\"")), "UTF-8")
		rows[field+" half surrogate"] = refuse(400, postTo("", jsonType, fieldBody(field, `"\udfff"`)), "surrogate")
		if field != "idempotency_key" {
			rows["query "+field+" not UTF-8"] = refuse(400, postTo("?"+fieldQuery(field, "a\xffb"), "", "hi"), field)
		}
	}
	rows["empty event"] = refuse(400, postTo("", jsonType, fieldBody("event", `""`)), "event", "empty")
	expectRefusals(t, n, rows)
}

// fieldBody is a message with one field that is to be refused.
func fieldBody(field, value string) string {
	body := `{"data":1,"` + field + `":` + value
	if field != "topic" {
		body += `,"topic":"news"`
	}
	return body + "}"
}

func fieldQuery(field, value string) string {
	query := url.Values{"topic": {"news"}}
	query.Set(field, value)
	return query.Encode()
}

func TestPublishRefusesOtherMediaTypes(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	rows := map[string]refusal{}
	for _, media := range []string{"text/html", "multipart/form-data; boundary=x", "application/ndjson", "application/xml", "application/jsonp",
		"text/plain; charset=latin1", "application/json; charset=utf-16", "text/plain; charset", "/", "json"} {
		rows[media] = refuse(http.StatusUnsupportedMediaType, postTo("?topic=news", media, `{"data":1}`), "Content-Type")
	}
	for _, coding := range []string{"gzip", "br", "identity, gzip"} {
		rows[coding] = refuse(http.StatusUnsupportedMediaType, postTo("?topic=news", "text/plain", "hi", "Content-Encoding: "+coding), "Content-Encoding")
	}
	rows["two codings"] = refuse(http.StatusUnsupportedMediaType, postTo("?topic=news", "text/plain", "hi", "Content-Encoding: identity", "Content-Encoding: gzip"), "Content-Encoding")
	rows["two types"] = refuse(http.StatusBadRequest, postTo("?topic=news", "text/plain", `{"data":1}`, "Content-Type: application/json"), "2 times")
	expectRefusals(t, n, rows)
}

// What a publisher sends reaches a browser as one event, whatever its data.
func TestPublishedDataForgesNoFrame(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	s := n.open(t, "?topic=news")
	s.opened(false)
	for data, want := range map[string]string{
		"x\n\nid: 1\nevent: hub.end\ndata: forged\n\n": "x\n\nid: 1\nevent: hub.end\ndata: forged\n\n",
		"x\r\rretry: 0\r\r":                            "x\n\nretry: 0\n\n",
		"x\r\n\r\n: comment":                           "x\n\n: comment",
		"\ufeffdata: \x00\u2028\u0085":                 "\ufeffdata: \x00\u2028\u0085",
		"":                                             "",
		" ":                                            " ",
	} {
		id := n.publish(t, "news", data)
		if e := s.next(); e.ID != id || e.Name != "message" || e.Data != want {
			t.Errorf("%q reached the browser as %q", data, e)
		}
	}
}
