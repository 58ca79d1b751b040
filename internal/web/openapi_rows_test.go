package web_test

import (
	"errors"
	"fmt"
	"strings"

	"tickertape/internal/event"
)

var (
	errFault = errors.New("a fault")
	errAway  = &event.UnavailableError{Err: errFault}
)

// events makes a server-sent event of each text.
func sseOf(texts ...string) string { return "data: " + strings.Join(texts, "\n\ndata: ") + "\n\n" }

func ok(r request) trial { return trial{r, 200, true} }

func goodTrials(id, over string) map[string]trial {
	rows := map[string]trial{
		"object":      ok(postTo("", jsonType, `{"topic":"news","event":"e","key":"k","data":{"a":[1,null]}}`)),
		"number":      ok(postTo("?topic=news", jsonType, `{"data":1}`)),
		"text":        ok(postTo("?topic=news&event=e&key=k", jsonType, `{"data":"hi"}`)),
		"batch":       ok(postTo("?topic=news", jsonType, `[{"data":1},{"topic":"a.b","data":true}]`)),
		"raw":         ok(postTo("?topic=news", "text/plain", "hi")),
		"curl":        ok(postTo("?topic=news", "application/x-www-form-urlencoded", "hi=1")),
		"octets":      ok(postTo("?topic=news", "application/octet-stream", "hi")),
		"no type":     ok(postTo("?topic=news", "", "hi")),
		"key":         ok(postTo("?topic=news", "text/plain", "hi", "Idempotency-Key: k")),
		"sequence":    ok(postTo("?topic=news&producer=p&seq=0", "text/plain", "hi")),
		"lines":       ok(postTo("", "application/x-ndjson", "{\"topic\":\"news\",\"data\":1}\n\n{\"topic\":\"news\",\"data\":2}\n")),
		"no lines":    {postTo("", "application/x-ndjson", ""), 200, false},
		"events":      ok(postTo("?topic=news", "text/event-stream", sseOf("one", "two"))),
		"tokens":      ok(postTo("?topic=news", "text/event-stream", sseOf(`{"choices":[]}`, "[DONE]"))),
		"whole end":   ok(postTo("", jsonType, `{"topic":"e1","data":1,"end":true}`)),
		"end alone":   ok(postTo("?topic=e2", jsonType, `{"end":"failed"}`)),
		"no end":      ok(postTo("?topic=news", jsonType, `{"data":1,"end":false,"lease":"1m30s"}`)),
		"raw end":     ok(postTo("?topic=e3&end=cancelled", "text/plain", "bye")),
		"raw lease":   ok(postTo("?topic=news&lease=.5h&end=", "text/plain", "hi")),
		"end":         ok(endOf("e4", "")),
		"end, key":    ok(endOf("e6", `{"status":"failed"}`, "Content-Type: application/json", "Idempotency-Key: k")),
		"cancel":      ok(cancelOf("e5")),
		"same cancel": ok(cancelOf("e5")),
		"the ended":   ok(get("/topics/over")),
		"its end":     ok(get("/topics/over/messages")),
		"nothing new": {get("/events?topic=over&last_event_id=" + over), 204, true},
		"topics":      ok(get("/topics")),
		"some topics": ok(get("/topics?select=*.**&limit=1&after=a")),
		"one page":    ok(get("/topics?limit=1")),
		"topic":       ok(get("/topics/news")),
		"messages":    ok(get("/topics/news/messages")),
		"last":        ok(get("/topics/news/messages?last=1&limit=1")),
		"all":         ok(get("/topics/news/messages?since=all&limit=1")),
		"since":       ok(get("/topics/news/messages?since=1h30m")),
		"since an id": ok(get("/topics/news/messages?since=" + id)),
		"lives":       ok(get("/healthz")),
		"lives, head": ok(request{method: "HEAD", path: "/healthz"}),
		"ready":       ok(get("/readyz")),
		"ready, head": ok(request{method: "HEAD", path: "/readyz"}),
		"description": ok(get("/openapi.yaml")),
		"client":      ok(get("/tickertape.js")),
		"same client": {get("/tickertape.js", "If-None-Match: *"), 304, true},
		"page":        ok(get("/")),
		"page, head":  ok(request{method: "HEAD", path: "/"}),
		"script":      ok(get("/page/console.js")),
		"style":       ok(get("/page/console.css")),
		"part, head":  ok(request{method: "HEAD", path: "/page/console.js"}),
	}
	for _, query := range []string{"topic=news", "topic=*&topic=a.*.c&topic=a.**&topic=**", "topic=a&topic=b&last=10", "topic=a&since=all&envelope=true&heartbeat=event", "topic=a&since=1.5h",
		"topic=a&last_event_id=" + id, "topic=a&lastEventId=nonsense", "topic=a&last=10000&envelope=false&heartbeat="} {
		rows["/events?"+query] = ok(get("/events?" + query))
	}
	for _, again := range []string{"first", "again"} {
		rows["sequence "+again] = ok(postTo("?topic=news&producer=again&seq=7", "text/plain", "hi"))
		rows["key "+again] = ok(postTo("?topic=orders", jsonType, `{"data":"hi","idempotency_key":"again"}`))
		rows["lines "+again] = ok(postTo("?topic=news&producer=lines&seq=0", "application/x-ndjson", `{"data":1}`))
	}
	return rows
}

func badTrials() map[string]trial {
	long := strings.Repeat("x", 256)
	rows := map[string]trial{
		"key reused":     {postTo("?topic=orders", jsonType, `{"data":"other","idempotency_key":"again"}`), 422, true},
		"foreign page":   {postTo("?topic=news", "text/plain", "hi", "Origin: https://foreign.example"), 403, true},
		"no topic":       {postTo("", "text/plain", "hi"), 400, true},
		"object as text": {postTo("", "text/plain", `{"topic":"news"}`), 400, true},
		"half a number":  {postTo("?topic=news&seq=1", "text/plain", "hi"), 400, true},
		"unknown query":  {postTo("?topic=news&color=red", "text/plain", "hi"), 400, true},
		"bad line":       {postTo("", "application/x-ndjson", "{\"topic\":\"news\",\"data\":1}\n{\"topic\":\"news\"}\n"), 400, true},
		"twice":          {postTo("?topic=news&producer=lines&seq=0", "application/x-ndjson", "{\"data\":1}\n{}"), 400, true},
		"large line":     {postTo("?topic=news", "application/x-ndjson", `{"data":"`+strings.Repeat("x", 256<<10+1)+`"}`), 413, true},
		"large object":   {postTo("?topic=news", jsonType, `{"data":"`+strings.Repeat("x", 256<<10+1)+`"}`), 413, true},
		"large raw":      {postTo("?topic=news", "text/plain", strings.Repeat("x", 256<<10+1)), 413, false},
		"large batch":    {postTo("?topic=news", jsonType, "["+strings.Repeat(`{"data":1},`, 1000)+`{"data":1}]`), 413, false},
		"picture":        {postTo("?topic=news", "image/png", "hi"), 415, false},
		"zipped":         {postTo("?topic=news", "text/plain", "hi", "Content-Encoding: gzip"), 415, true},
		"null":           {postTo("?topic=news", jsonType, `{"data":null}`), 400, true},
		"hub's topic":    {postTo("?topic=hub", "text/plain", "hi"), 400, true},
		"hub's event":    {postTo("?topic=news", jsonType, `{"data":1,"event":"hub.x"}`), 400, true},
		"browser's one":  {postTo("?topic=news&event=open", "text/plain", "hi"), 400, true},
		"hub's state":    {get("/topics/hub.x"), 400, true},
		"two starts":     {get("/events?topic=a&since=all&last=1"), 400, true},
		"ended":          {postTo("?topic=over", "text/plain", "hi"), 409, true},
		"ended lines":    {postTo("?topic=over", ndjsonType, `{"data":1}`), 409, true},
		"ended twice":    {endOf("over", ""), 409, true},
		"other end":      {endOf("e6", "", "Idempotency-Key: k"), 422, true},
		"bad end":        {endOf("news", `{"status":"done"}`, "Content-Type: application/json"), 400, false},
		"foreign end":    {endOf("news", "", "Origin: https://foreign.example"), 403, true},
		"large end":      {endOf("news", strings.Repeat(" ", 1025)), 413, true},
		"picture's end":  {endOf("news", "{}", "Content-Type: image/png"), 415, false},
		"bad cancel":     {request{method: "POST", path: "/topics/news/cancel?really"}, 400, true},
		"foreign cancel": {cancelOf("news", "Origin: https://foreign.example"), 403, true},
		"large cancel":   {request{method: "POST", path: "/topics/news/cancel", body: strings.Repeat(" ", 1025)}, 413, true},
		"typed cancel":   {cancelOf("news", "Content-Type: image/png"), 415, true},
		"no selector":    {get("/events?topic=a.**.c"), 400, false},
		"odd end":        {postTo("?topic=news&end=done", "text/plain", "hi"), 400, false},
		"long lease":     {postTo("?topic=news&lease=25h", "text/plain", "hi"), 400, true},
		"no such topic":  {get("/topics/nobody"), 404, true},
		"no messages":    {get("/topics/nobody/messages"), 404, true},
		"no such part":   {get("/page/nothing.js"), 404, true},
		"no part, head":  {request{method: "HEAD", path: "/page/nothing.js"}, 404, true},
		"no such path":   {get("/nowhere"), 404, false},
		"no such method": {request{method: "DELETE", path: "/topics"}, 405, false},
		"metrics":        {get("/metrics"), 404, false},
	}
	for _, body := range []string{`{"topic":"news"}`, `{"topic":"a..b","data":1}`, `{"topic":"news","data":1,"color":"red"}`,
		`{"topic":5,"data":1}`, `{"topic":"news","end":7}`, `{"topic":"news","end":"done"}`, `{"topic":"news","data":1,"lease":30}`, `{"topic":"news","data":1,"lease":"soon"}`, `{"topic":"` + long + `","data":1}`, `{"topic":"news","key":"` + long + `","data":1}`,
		`[]`, `[{"data":1}`, `7`, `"hi"`, `[{"topic":"news","data":1},{"topic":"news"}]`} {
		rows["body "+body] = trial{postTo("", jsonType, body), 400, false}
	}
	for _, query := range []string{"topic=a/b", "topic=", "topic=news&event=" + long, "topic=news&producer=p&seq=x", "topic=news&producer=p&seq=-1", "topic=news&producer=&seq=1"} {
		rows["?"+query] = trial{postTo("?"+query, "text/plain", "hi"), 400, false}
	}
	for _, path := range []string{"/events", "/events?topic=", "/events?topic=a..b", "/events?topic=a&last=0", "/events?topic=a&last=10001", "/events?topic=a&last=x", "/events?topic=a&since=yesterday",
		"/events?topic=a&envelope=yes", "/events?topic=a&heartbeat=true", "/topics?limit=0", "/topics?limit=1001", "/topics?select=a..b", "/topics/a..b/messages",
		"/topics/news/messages?last=0", "/topics/news/messages?limit=x"} {
		rows[path] = trial{get(path), 400, false}
	}
	rows["too many topics"] = trial{get("/events?topic=" + strings.Join(numbered(101), "&topic=")), 400, false}
	return rows
}

func numbered(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("t", i))
	}
	return names
}

// faultyTrials are what asks the bus, which fails.
func faultyTrials(status int) map[string]trial {
	rows := map[string]trial{
		"publish": {postTo("?topic=news", "text/plain", "hi"), status, true},
		"lines":   {postTo("?topic=news", "application/x-ndjson", `{"data":1}`), status, true},
		"end":     {endOf("news", ""), status, true},
		"cancel":  {cancelOf("news"), status, true},
	}
	for _, path := range []string{"/topics", "/topics/news", "/topics/news/messages"} {
		rows[path] = trial{get(path), status, true}
	}
	return rows
}

// guardedTrials ask a hub that takes credentials, with none and with one for other
// topics.
func guardedTrials(bearer string) map[string]trial {
	rows := map[string]trial{}
	for _, route := range guardedRoutes() {
		anonymous, other := route.ask("yours"), route.ask("yours")
		other.header = append(other.header, bearer)
		rows[route.name+" by nobody"] = trial{anonymous, 401, true}
		rows[route.name+" by somebody else"] = trial{other, 403, true}
	}
	return rows
}

// limitedTrials ask a hub for more than the caller may publish.
func limitedTrials(key string) map[string]trial {
	return map[string]trial{
		"limited":        {postTo("?topic=news", "text/plain", "hi", key), 429, true},
		"limited batch":  {postTo("?topic=news", jsonType, `[{"data":1}]`, key), 429, true},
		"limited end":    {endOf("news", "", key), 429, true},
		"limited cancel": {cancelOf("news", key), 429, true},
	}
}

// busyTrials are what an address asks that has asked as often as it may.
func busyTrials(from string) map[string]trial {
	rows := map[string]trial{}
	for _, path := range []string{"/topics", "/topics/news", "/topics/news/messages"} {
		rows["busy "+path] = trial{get(path, from), 429, true}
	}
	return rows
}
