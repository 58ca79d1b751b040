package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
)

// quick makes browsers come back after about 100 ms.
var quick = nodetest.Options{Stream: stream.Options{Retry: 100 * time.Millisecond}}

// TestBrowser runs all tests that need a browser in one Chromium.
func TestBrowser(t *testing.T) {
	t.Parallel()
	chromium := browser.Start(t)
	for name, test := range map[string]func(*scene){
		"plain form":                 plainForm,
		"envelope form":              envelopeForm,
		"many topics, one order":     manyTopicsOneOrder,
		"cut before the first event": cutBeforeFirstEvent,
		"cut again and again":        cutAgainAndAgain,
		"restart":                    restart,
		"restart before any event":   restartBeforeAnyEvent,
		"foreign page":               foreignPage,
		"many streams over HTTP/2":   manyStreamsOverHTTP2,
		"cookie":                     cookieOfItsOwn,
		"foreign page forges":        foreignPageForges,
		"client comes back":          clientComesBack,
		"client sees a restart":      clientSeesRestart,
		"client outlives refusals":   clientOutlivesRefusals,
		"client remembers":           clientRemembers,
		"client wakes up":            clientWakesUp,
		"client notices silence":     clientNoticesSilence,
		"client renews its token":    clientRenewsToken,
		"client bears callbacks":     clientBearsCallbacks,
		"client checks arguments":    clientChecksArguments,
		"client of another origin":   clientOfAnotherOrigin,
		"client shares a stream":     clientSharesStream,
		"client begins as asked":     clientBeginsAsAsked,
		"client takes the lead":      clientTakesLead,
		"client freezes":             clientFreezes,
		"client keeps little":        clientKeepsLittle,
		"documented lines":           documentedLines,
		"stream ends for good":       streamEndsForGood,
		"client ends":                clientEnds,
		"client follows selectors":   clientFollowsSelectors,
		"client keeps a table":       clientKeepsTable,
		"client leads under load":    clientLeadsUnderLoad,
		"client parts and rejoins":   clientPartsAndRejoins,
		"client misses its leader":   clientMissesLeader,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&scene{T: t, tab: chromium.Tab(t)})
		})
	}
}

// scene is what a test plays in: a tab, and nodes that it starts.
type scene struct {
	*testing.T
	tab *browser.Tab
}

// start starts a node and opens a page of it that does nothing: the tab is
// then at home in the node's origin.
func (s *scene) start(o nodetest.Options) *nodetest.Node {
	s.Helper()
	node := nodetest.Start(s, o)
	s.tab.Open(node.URL + "/healthz")
	return node
}

// note is a message as POST /publish takes it.
type note struct {
	Topic string `json:"topic"`
	Event string `json:"event,omitempty"`
	Key   string `json:"key,omitempty"`
	Data  any    `json:"data"`
}

// publish publishes a batch and returns its ids.
func (s *scene) publish(node *nodetest.Node, notes ...note) []string {
	s.Helper()
	var answer struct{ Results []struct{ ID string } }
	if err := post(s.T, node.URL+"/publish", "", notes, &answer); err != nil {
		s.Fatal(err)
	}
	ids := make([]string, len(answer.Results))
	for i, r := range answer.Results {
		ids[i] = r.ID
	}
	return ids
}

// post posts JSON and reads the JSON answer, over a connection of its own.
func post(t *testing.T, url, idempotencyKey string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Close = true
	r.Header.Set("Content-Type", "application/json")
	if idempotencyKey != "" {
		r.Header.Set("Idempotency-Key", idempotencyKey)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		problem, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s", resp.Status, problem)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

// until waits for something in this process.
func (s *scene) until(what string, holds func() bool) {
	s.Helper()
	late := time.After(time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			s.Fatalf("waited in vain: %s", what)
		}
	}
}

// quiet fails if the console has errors that a cut connection does not
// explain.
func (s *scene) quiet() {
	s.Helper()
	if c := s.tab.Complaints("network"); len(c) > 0 {
		s.Errorf("the console complains: %v", c)
	}
}
