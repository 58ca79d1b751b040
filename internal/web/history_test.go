package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

type history struct {
	Topic    string
	Messages []envelope
	Gaps     []struct {
		Reason    string
		ResumedAt string `json:"resumed_at"`
	}
	Next string
	More bool
}

type envelope struct {
	Topic, ID, Time, Event, Key string
	Data                        json.RawMessage
}

func (h history) data() string {
	var data []string
	for _, m := range h.Messages {
		data = append(data, strings.Trim(string(m.Data), `"`))
	}
	return strings.Join(data, " ")
}

func TestTopicHistory(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	ids := []string{}
	for i := range 5 {
		n.publish(t, "other", "x")
		ids = append(ids, n.publish(t, "news", fmt.Sprint(i)))
	}
	end := n.publish(t, "other", "x")
	for query, want := range map[string]struct {
		data string
		next string // empty: the end of what there is
	}{
		"":                              {"0 1 2 3 4", ""},
		"?limit=2":                      {"3 4", ""},
		"?since=all":                    {"0 1 2 3 4", ""},
		"?since=all&limit=2":            {"0 1", ids[1]},
		"?since=all&limit=5":            {"0 1 2 3 4", ""},
		"?since=" + ids[1]:              {"2 3 4", ""},
		"?since=" + ids[1] + "&limit=2": {"2 3", ids[3]},
		"?since=" + ids[3] + "&limit=2": {"4", ""},
		"?since=" + end:                 {"", ""},
		"?since=1h":                     {"0 1 2 3 4", ""},
		"?since=1h&limit=1":             {"0", ids[0]},
		"?last=3&limit=2":               {"2 3", ids[3]},
		"?last=2":                       {"3 4", ""},
		"?last=10000":                   {"0 1 2 3 4", ""},
	} {
		h := decode[history](t, n.do(t, get("/topics/news/messages"+query)))
		if h.Topic != "news" || h.data() != want.data || h.More != (want.next != "") || len(h.Gaps) > 0 {
			t.Errorf("%q: got %+v, want %q", query, h, want.data)
		}
		if want.next != "" && h.Next != want.next {
			t.Errorf("%q: next is %q, want %q", query, h.Next, want.next)
		}
		rest := decode[history](t, n.do(t, get("/topics/news/messages?since="+h.Next)))
		if got := strings.TrimSpace(h.data() + " " + rest.data()); !strings.HasSuffix("0 1 2 3 4", got) || rest.More || len(rest.Gaps) > 0 {
			t.Errorf("%q: going on with next gives %+v behind %q", query, rest, h.data())
		}
	}
	rows := map[string]refusal{}
	for query, word := range map[string]string{"limit=0": "limit", "limit=1001": "1000", "since=soon": "since", "since=-1h": "since", "last=0": "last", "last=x": "last",
		"since=all&last=1": "exclude", "since=" + ids[0] + "&last=1": "exclude", "since=" + ids[0][1:]: "since", "since=%zz": "query"} {
		rows[query] = refuse(400, get("/topics/news/messages?"+query), word)
	}
	expectRefusals(t, n, rows)
}

// History and envelope streams show the same object.
func TestHistoryShowsWhatStreamsShow(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	s := n.open(t, "?topic=news&envelope=true")
	s.opened(false)
	var streamed []string
	for _, body := range []string{`{"data":"a\n"}`, `{"event":"e","key":"k","data":{"a":[1.0,null]}}`, `{"data":""}`} {
		decode[receipt](t, n.do(t, postTo("?topic=news", jsonType, body)))
		streamed = append(streamed, s.next().Data)
	}
	h := decode[struct {
		Topic, Next string
		More        bool
		Messages    []json.RawMessage
	}](t, n.do(t, get("/topics/news/messages")))
	for i, m := range h.Messages {
		if i >= len(streamed) || string(m) != streamed[i] {
			t.Errorf("history has %s, the stream %q", m, streamed)
		}
	}
}

func TestHistoryGaps(t *testing.T) {
	t.Parallel()
	o := nodetest.Options{}
	o.Bus.Retention.Messages = 2
	n := startNode(t, o)
	ids := []string{}
	for i := range 5 {
		ids = append(ids, n.publish(t, "news", fmt.Sprint(i)))
	}
	good, err := event.ParseCursor(ids[4])
	if err != nil {
		t.Fatal(err)
	}
	future, foreign, lost := good, good, good
	future.Position.MS += 1 << 32
	foreign.Epoch.Store++
	lost.Epoch.Nonce++
	for query, want := range map[string]struct{ data, reasons, at string }{
		"since=all":                 {"3 4", "trimmed", ids[2]},
		"since=1h":                  {"3 4", "trimmed", ids[2]},
		"since=" + ids[0]:           {"3 4", "trimmed", ids[2]},
		"since=" + ids[1]:           {"3 4", "trimmed", ids[2]},
		"since=" + ids[2]:           {"3 4", "", ""},
		"since=all&limit=1":         {"3", "trimmed", ids[2]},
		"last=5":                    {"3 4", "", ""}, // asks for what there is
		"":                          {"3 4", "", ""},
		"since=" + future.String():  {"", "bad_cursor", ""},
		"since=" + foreign.String(): {"", "bad_cursor", ""},
		"since=" + lost.String():    {"3 4", "store_lost trimmed", ""},
	} {
		h := decode[history](t, n.do(t, get("/topics/news/messages?"+query)))
		var reasons []string
		for _, g := range h.Gaps {
			reasons = append(reasons, g.Reason)
			if _, err := event.ParseCursor(g.ResumedAt); err != nil || want.at != "" && g.ResumedAt != want.at {
				t.Errorf("%q: the gap ends at %q, want %q", query, g.ResumedAt, want.at)
			}
		}
		if h.data() != want.data || strings.Join(reasons, " ") != want.reasons {
			t.Errorf("%q: got %q with gaps %q, want %q with %q", query, h.data(), reasons, want.data, want.reasons)
		}
	}
}

// Time in the bubble stands still until all wait, so ages are exact.
func TestHistoryByAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		bus := membus.New(membus.Options{Retention: event.Retention{Age: time.Hour}})
		h := hub.New(bus, hub.Options{})
		s, err := web.New(h, bus, stream.NewServer(h, stream.Options{}), web.Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- h.Run(ctx) }()
		<-h.Ready()
		do := func(method, path, body string) answer {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
			return answer{w.Code, w.Header(), w.Body.Bytes()}
		}
		var first string
		for i := range 6 {
			r := decode[receipt](t, do(http.MethodPost, "/publish?topic=news", fmt.Sprint(i)))
			if i == 0 {
				first = r.ID
			}
			time.Sleep(10 * time.Minute)
		}
		expect := func(query, data, reason string) {
			t.Helper()
			h := decode[history](t, do(http.MethodGet, "/topics/news/messages?"+query, ""))
			got := ""
			for _, g := range h.Gaps {
				got += g.Reason
			}
			if h.data() != data || got != reason {
				t.Errorf("%q: got %q and gap %q, want %q and %q", query, h.data(), got, data, reason)
			}
		}
		expect("since=10m1s", "5", "")
		expect("since=45m", "2 3 4 5", "")
		expect("since=45m&limit=2", "2 3", "")
		time.Sleep(15 * time.Minute) // now 0 and 1 are over an hour old
		expect("since=45m", "3 4 5", "")
		expect("since=all", "2 3 4 5", "expired")
		expect("since="+first, "2 3 4 5", "expired")
		expect("last=10", "2 3 4 5", "")
		time.Sleep(2 * time.Hour)
		if a := do(http.MethodGet, "/topics/news/messages", ""); a.status != http.StatusNotFound {
			t.Errorf("an expired topic: %d %s", a.status, a.body)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
