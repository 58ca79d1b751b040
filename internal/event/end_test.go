package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
)

func TestDecodeMessageReadsEnds(t *testing.T) {
	t.Parallel()
	text := event.Data{Text: "x"}
	for body, want := range map[string]event.Message{
		`{"data":"x","end":true}`:                   {Data: text, End: event.Completed},
		`{"data":"x","end":"completed"}`:            {Data: text, End: event.Completed},
		`{"data":"x","end":"failed"}`:               {Data: text, End: event.Failed},
		`{"data":"x","end":"canc\u0065lled"}`:       {Data: text, End: event.Cancelled},
		`{"data":"x","end":false}`:                  {Data: text},
		`{"data":"x","end":null,"lease":null}`:      {Data: text},
		`{"end":true}`:                              {End: event.Completed, EndOnly: true},
		`{"end":"failed","idempotency_key":"once"}`: {End: event.Failed, EndOnly: true, IdempotencyKey: "once"},
		`{"data":null,"key":"k","end":true}`:        {Data: event.Data{Text: "null", JSON: true}, Key: "k", End: event.Completed},
		`{"data":null,"key":"k"}`:                   {Data: event.Data{Text: "null", JSON: true}, Key: "k"},
		`{"data":"x","lease":"30s"}`:                {Data: text, Lease: 30 * time.Second},
		`{"data":"x","lease":"1s"}`:                 {Data: text, Lease: event.MinLease},
		`{"data":"x","lease":"24h","end":false}`:    {Data: text, Lease: event.MaxLease},
		`{"data":"x","lease":"1m30s500ms"}`:         {Data: text, Lease: 90*time.Second + 500*time.Millisecond},
	} {
		want.Topic = "news"
		if m, err := event.DecodeMessage([]byte(body), event.Defaults{Topic: "news"}); err != nil || m != want {
			t.Errorf("%s: got %+v, %v; want %+v", body, m, err, want)
		}
	}
	// An end by itself is no message: what the query says of those is not for it.
	d := event.Defaults{Topic: "news", Name: "n", Key: "k", IdempotencyKey: "i"}
	want := event.Message{Topic: "news", IdempotencyKey: "i", End: event.Completed, EndOnly: true}
	if m, err := event.DecodeMessage([]byte(`{"end":true}`), d); err != nil || m != want {
		t.Errorf("an end got %+v, %v; want %+v", m, err, want)
	}
}

func TestDecodeMessageRefusesEnds(t *testing.T) {
	t.Parallel()
	for body, words := range map[string][]string{
		`{"data":1,"end":"x"}`:                  {"end", `"x"`, "completed"},
		`{"data":1,"end":""}`:                   {"end", "completed"},
		`{"data":1,"end":"producer_lost"}`:      {"end", "producer_lost"},
		`{"data":1,"end":"Completed"}`:          {"end", "Completed"},
		`{"data":1,"end":7}`:                    {"end", "7"},
		`{"data":1,"end":{}}`:                   {"end"},
		`{"data":1,"end":["completed"]}`:        {"end"},
		`{"data":1,"end":"\ud800"}`:             {"surrogate"},
		`{"end":false}`:                         {"data", "missing"},
		`{"end":null}`:                          {"data", "missing"},
		`{"end":true,"event":"done"}`:           {"data", "missing", "event"},
		`{"end":true,"key":"k"}`:                {"data", "missing", "key"},
		`{"end":true,"lease":"30s"}`:            {"lease", "ends"},
		`{"data":1,"end":true,"lease":"30s"}`:   {"lease", "ends"},
		`{"data":1,"lease":"0s"}`:               {"lease", "1s", "24h"},
		`{"data":1,"lease":"0"}`:                {"lease", "1s", "24h"},
		`{"data":1,"lease":"-5s"}`:              {"lease", "1s", "24h"},
		`{"data":1,"lease":"999ms"}`:            {"lease", "1s", "24h"},
		`{"data":1,"lease":"25h"}`:              {"lease", "1s", "24h"},
		`{"data":1,"lease":"24h1ns"}`:           {"lease", "1s", "24h"},
		`{"data":1,"lease":"8760h"}`:            {"lease", "1s", "24h"},
		`{"data":1,"lease":"99999999999999h"}`:  {"lease", "30s"},
		`{"data":1,"lease":"a year"}`:           {"lease", "30s"},
		`{"data":1,"lease":""}`:                 {"lease", "30s"},
		`{"data":1,"lease":7}`:                  {"lease", "string"},
		`{"data":1,"end":true,"end":true}`:      {"duplicate", "end"},
		`{"data":1,"endOnly":true}`:             {"unknown", "endOnly"},
		`{"data":1,"life":"1-1"}`:               {"unknown", "life"},
		`{"data":1,"end":"` + long(300) + `"}`:  {"end", "xxx"},
		`{"data":1,"lease":"` + long(300) + `"`: {"JSON"},
	} {
		m, err := event.DecodeMessage([]byte(body), event.Defaults{Topic: "news"})
		if err == nil {
			t.Errorf("%s was taken as %+v", body, m)
			continue
		}
		for _, word := range words {
			if text := err.Error(); !strings.Contains(text, word) || len(text) > 200 {
				t.Errorf("%.60s: got %v; want a word about %q", body, err, word)
			}
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// A retry has the same digest, whatever it says about how it is sent; another
// end makes another message.
func TestDigestTellsEndsApart(t *testing.T) {
	t.Parallel()
	plain := event.Message{Topic: "t", Data: event.Data{Text: "x"}}
	ended, failed, bare := plain, plain, event.Message{Topic: "t", End: event.Completed, EndOnly: true}
	ended.End, failed.End = event.Completed, event.Failed
	empty := event.Message{Topic: "t", End: event.Completed}
	seen := map[[32]byte]event.Message{}
	for _, m := range []event.Message{plain, ended, failed, bare, empty, {Topic: "t", End: event.Failed, EndOnly: true}} {
		if other, ok := seen[m.Digest()]; ok {
			t.Errorf("%+v has the digest of %+v", m, other)
		}
		seen[m.Digest()] = m
		retry := m
		retry.Lease, retry.Life, retry.Producer, retry.Seq = time.Hour, event.Position{MS: 1}, "p", 7
		if retry.Digest() != m.Digest() {
			t.Errorf("%+v has another digest than %+v", retry, m)
		}
	}
}

// The end of a topic is an event that any JSON reader understands.
func TestEndIsAnEvent(t *testing.T) {
	t.Parallel()
	for _, topic := range []event.Topic{"chat", "a~b:c@d-e_f.g"} {
		e := event.NewEnd(topic, event.KindLatest, event.ProducerLost)
		if e.Name != event.EndName || e.Topic != topic || e.Kind != event.KindLatest || e.End != event.ProducerLost || e.Key != "" || e.Deletes() {
			t.Errorf("got %+v", e)
		}
		var data map[string]string
		if err := json.Unmarshal([]byte(e.Envelope().Data), &data); err != nil || len(data) != 2 || data["topic"] != string(topic) || data["status"] != "producer_lost" {
			t.Errorf("%s: its data is %s (%v)", topic, e.Data.Text, err)
		}
	}
	null := event.Data{Text: "null", JSON: true}
	for _, e := range []event.Event{
		{Kind: event.KindLog, Data: null}, {Kind: event.KindLatest, Data: event.Data{Text: "null"}}, {Kind: event.KindLatest, End: event.Failed, Data: null},
	} {
		if e.Deletes() {
			t.Errorf("%+v deletes a key", e)
		}
	}
	if e := (event.Event{Kind: event.KindLatest, Data: null}); !e.Deletes() {
		t.Errorf("%+v deletes no key", e)
	}
}
