package web_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tickertape/internal/auth"
	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

// FuzzAccess: where nobody has a right without a credential, nothing that a
// stranger can make up is one, wherever it stands, and no answer is a fault.
func FuzzAccess(f *testing.F) {
	i := newIssuer(f)
	_, hash := auth.NewAPIKey()
	a, err := auth.New(auth.Policy{APIKeys: []auth.APIKey{{Name: "job", Hash: hash}}, Tokens: &auth.Tokens{Secret: []byte("a secret that nobody is told, ever, at all")}}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(a.Close)
	all := claims{"publish": "**", "subscribe": "**", "manage": "**"}
	for _, token := range []string{"", "x", i.unsigned(all), i.confused(all), i.token(all), "tt_x", "a.b.c"} {
		f.Add("Bearer "+token, "", "", "", "")
		f.Add("", "__Host-tickertape="+token, "", "same-origin", "http://example.com")
		f.Add("", "", "access_token="+url.QueryEscape(token), "", "")
		f.Add("Basic "+token, "__Host-tickertape="+token+"; __Host-tickertape=", "access_token=%"+token, "none", "null")
	}
	log := &faults{}
	bus := membus.New(membus.Options{})
	if _, err := bus.Publish(f.Context(), []event.Message{{Topic: "a", Data: event.Data{Text: marker}}}); err != nil {
		f.Fatal(err)
	}
	h := hub.New(bus, hub.Options{})
	handler, err := web.New(h, bus, stream.NewServer(h, stream.Options{}), web.Options{Log: slog.New(log), Authority: a, PublishOrigins: []string{friend}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header, cookie, query, site, origin string) {
		for _, target := range []string{"GET /events", "GET /topics", "GET /topics/a", "GET /topics/a/messages", "POST /publish", "POST /topics/a/end", "POST /topics/a/cancel"} {
			method, path, _ := strings.Cut(target, " ")
			r := httptest.NewRequest(method, path, nil)
			r.URL.RawQuery = "topic=a&" + query
			r.Header = http.Header{"Authorization": {header}, "Cookie": {cookie}, "Sec-Fetch-Site": {site}, "Origin": {origin}}
			if header == "" {
				r.Header.Del("Authorization")
			}
			got := serve(handler, r)
			if got.status < 400 || got.status > 499 || len(log.all) > 0 {
				t.Fatalf("%s is answered %d %s; log %q", target, got.status, got.body, log.all)
			}
		}
	})
}

// FuzzReads: no path or query of the routes that list and look up is answered by a
// fault, and a 200 is JSON.
func FuzzReads(f *testing.F) {
	for _, query := range []string{"", "limit=1", "limit=0", "limit=9999999999999999999", "after=a", "after=%00", "select=**", "select=*.a", "since=all", "since=1s", "since=1bWIBsBTf3sTSq92gNAAXvg", "last=3", "last=-1", "since=all&last=1", "%", ";", "a=b;c"} {
		f.Add("a", query)
		f.Add("a.b", query)
	}
	for _, topic := range []string{"", ".", "..", "a/b", "hub.open", "*", "\x00", "a%2fb", "\xff"} {
		f.Add(topic, "last=1")
	}
	log := &faults{}
	bus := membus.New(membus.Options{})
	if _, err := bus.Publish(f.Context(), []event.Message{{Topic: "a", Data: event.Data{Text: "x"}}, {Topic: "a.b", Key: "k", Data: event.Data{Text: "1", JSON: true}}}); err != nil {
		f.Fatal(err)
	}
	handler := idleServer(f, bus, slog.New(log))
	f.Fuzz(func(t *testing.T, topic, query string) {
		for _, path := range []string{"/topics", "/topics/" + topic, "/topics/" + topic + "/messages"} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.URL.Path, r.URL.RawQuery = path, query
			got := serve(handler, r)
			switch {
			case got.status == http.StatusOK && json.Valid(got.body):
			case got.status < 300 || got.status > 499 || len(log.all) > 0:
				t.Fatalf("%q?%q is answered %d %s; log %q", path, query, got.status, got.body, log.all)
			}
		}
	})
}
