package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// A page of another origin may listen, but publishes only if its origin is
// among those that may.
func foreignPage(s *scene) {
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><title>elsewhere</title>`))
	}))
	s.Cleanup(foreign.Close)
	node := nodetest.Start(s, nodetest.Options{})
	friend := nodetest.Start(s, nodetest.Options{Web: web.Options{PublishOrigins: []string{foreign.URL}}})
	s.tab.Open(foreign.URL)
	source := s.tab.Listen(node.URL + "/events?topic=news")
	source.Await("hub.open", 1)

	for _, init := range [...]string{
		`{ method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'forged' }`,
		`{ method: 'POST', mode: 'no-cors', body: 'forged' }`,
		`{ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"data":"forged"}' }`,
	} {
		answer := browser.Eval[string](s.tab, s.fetching(node, init))
		if statuses := s.tab.Statuses(); statuses[len(statuses)-1] != http.StatusForbidden {
			s.Errorf("%s: statuses %v", init, statuses)
		}
		if answer != "TypeError" && answer != "opaque 0" {
			s.Errorf("%s: the page saw %s", init, answer)
		}
	}
	own := s.publish(node, note{Topic: "news", Data: "the hub's own"})
	source.AwaitData("the hub's own")
	if got := source.Events("message"); !slices.Equal(ids(got), own) {
		s.Errorf("a foreign page published: %s", brief(got))
	}

	for _, init := range [...]string{
		`{ method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'welcome' }`,
		`{ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"data":"welcome"}' }`,
	} {
		if answer := browser.Eval[string](s.tab, s.fetching(friend, init)); answer != "cors 200" {
			s.Errorf("an origin that may publish saw %s", answer)
		}
	}
	if c := s.tab.Complaints("network", "javascript"); len(c) > 0 {
		s.Errorf("the console complains: %v", c)
	}
}

func (s *scene) fetching(node *nodetest.Node, init string) string {
	return fmt.Sprintf(`fetch('%s/publish?topic=news', %s).then(r => r.type + ' ' + r.status, e => e.name)`, node.URL, init)
}
