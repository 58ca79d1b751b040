package event_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tickertape/internal/event"
)

// messageSeeds are bodies around everything that the decoder decides.
var messageSeeds = []string{
	`{}`, `{"data":"x"}`, `{"topic":"a.b","event":"e","key":"k","data":"x","idempotency_key":"once"}`,
	`{"topic":null,"event":null,"data":null}`, `{"data":false}`, `{"data":[1, 2.0, 1e400, {"a":"\u00e9"}]}`,
	`{"data":123456789012345678901234567890.10}`, `{"data":{"a":1,"a":2}}`, `{"data":1,"data":2}`,
	`{"topic":"a","topic":"a","data":1}`, `{"Topic":"a","data":1}`, `{"tpoic":"a","data":1}`,
	`{"topic":1,"data":1}`, `{"event":"","data":1}`, `{"event":"open","data":1}`, `{"event":"hub.x","data":1}`,
	`{"data":"\ud800"}`, `{"data":"\ud83d\ude00"}`, `{"data":{"\udc00":1}}`, "{\"data\":\"\xff\"}", "{\"data\":\"\x00\"}",
	`{"data":"\u0000\r\n\u2028"}`, `{"event":"a\u0000","data":1}`, `{"key":"a\nb","data":1}`, `{"topic":"a\rb","data":1}`,
	`{"data":1}{}`, `{"data":1`, `{"data":01}`, `{"data":1,}`, `{'data':1}`, "\ufeff{\"data\":1}", ` {"data" : "x" } `,
	`{"end":true}`, `{"end":false}`, `{"end":null,"lease":null}`, `{"end":"failed","data":null,"key":"k"}`, `{"end":"x"}`, `{"end":7}`,
	`{"end":"\u0063ancelled","idempotency_key":"once"}`, `{"end":true,"event":"e"}`, `{"end":true,"key":"k"}`, `{"end":true,"lease":"30s"}`,
	`{"data":1,"end":"completed"}`, `{"data":1,"lease":"30s"}`, `{"data":1,"lease":"0s"}`, `{"data":1,"lease":"1s"}`, `{"data":1,"lease":"25h"}`,
	`{"data":1,"lease":"8760h"}`, `{"data":1,"lease":7}`, `{"data":1,"lease":"1.5e3s"}`, `{"data":1,"lease":"-1s"}`, `{"data":1,"lease":"1us"}`,
	`[]`, `"x"`, `1`, `null`, ``, `{"data":"` + "\u007f\u0085" + `"}`,
	strings.Repeat("[", 20000), `{"data":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`,
}

func TestDecodeMessageKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]event.Data{
		`{"data":"hi"}`:                   {Text: "hi"},
		`{"data":""}`:                     {},
		`{"data":"a\r\n\u0000\u2028<&>"}`: {Text: "a\r\n\x00\u2028<&>"},
		`{"data":"\ud83d\ude00"}`:         {Text: "\U0001f600"},
		`{"data": { "a" : [ 1.0, 1e400, 123456789012345678901 ] } }`: {Text: `{"a":[1.0,1e400,123456789012345678901]}`, JSON: true},
		`{"data": {"z":1, "a":"\u00e9\/"} }`:                         {Text: `{"z":1,"a":"\u00e9\/"}`, JSON: true},
		`{"data":false}`:                                             {Text: "false", JSON: true},
		`{"data":0.10}`:                                              {Text: "0.10", JSON: true},
	} {
		m, err := event.DecodeMessage([]byte(body), event.Defaults{Topic: "news"})
		if err != nil || m.Data != want {
			t.Errorf("%s: got %+v, %v; want %+v", body, m.Data, err, want)
		}
	}
}

func TestDecodeMessageTakesDefaultsForWhatIsLacking(t *testing.T) {
	t.Parallel()
	d := event.Defaults{Topic: "t", Name: "n", Key: "k", IdempotencyKey: "i"}
	for body, want := range map[string]event.Message{
		`{"data":"x"}`: {Topic: "t", Name: "n", Key: "k", IdempotencyKey: "i", Data: event.Data{Text: "x"}},
		`{"topic":"T","event":"N","key":"K","idempotency_key":"I","data":"x"}`: {Topic: "T", Name: "N", Key: "K",
			IdempotencyKey: "I", Data: event.Data{Text: "x"}},
	} {
		if m, err := event.DecodeMessage([]byte(body), d); err != nil || m != want {
			t.Errorf("%s: got %+v, %v; want %+v", body, m, err, want)
		}
	}
}

// A refusal names the place. Whoever wrote the body knows no Go.
func TestDecodeMessageSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300<<10)
	for body, words := range map[string][]string{
		``:                                  {"body", "JSON"},
		`{`:                                 {"body", "JSON", "byte 1"},
		`{"data":1} x`:                      {"body", "JSON", "byte 11"},
		`"text"`:                            {"body", "object"},
		`{}`:                                {"data", "missing"},
		`{"data":1,"topics":"a"}`:           {"unknown", `"topics"`},
		`{"data":1,"topic":7}`:              {"topic", "string"},
		`{"data":1,"key":{}}`:               {"key", "string"},
		`{"data":1,"data":2}`:               {"duplicate", "data"},
		`{"data":1,"event":"error"}`:        {"event", "error", "browsers"},
		`{"data":1,"event":"open"}`:         {"event", "open", "browsers"},
		`{"data":1,"event":"hub.gap"}`:      {"event", "hub."},
		`{"data":1,"event":""}`:             {"event", "empty", "message"},
		`{"data":1,"event":"a\tb"}`:         {"event", "control"},
		`{"data":1,"key":"a\u0000"}`:        {"key", "control"},
		`{"data":"\ud800"}`:                 {"surrogate"},
		"{\"data\":\"\xff\"}":               {"UTF-8"},
		`{"data":1,"topic":"a b"}`:          {"topic", "byte 1"},
		`{"data":1,"topic":"a..b"}`:         {"topic", "empty segment"},
		`{"data":1,"topic":"hub"}`:          {"topic", "reserved"},
		`{"data":1,"topic":""}`:             {"topic", "missing"},
		`{"data":"` + long + `"}`:           {"data", "256 KiB"},
		`{"data":["` + long + `"]}`:         {"data", "256 KiB"},
		`{"data":1,"key":"` + long + `"}`:   {"key", "128"},
		`{"data":1,"topic":"` + long + `"}`: {"topic", "255"},
	} {
		_, err := event.DecodeMessage([]byte(body), event.Defaults{Topic: "news"})
		for _, word := range words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%.60s: got %v; want a word about %q", body, err, word)
			}
		}
	}
}

func TestDecodeBatchNamesTheItem(t *testing.T) {
	t.Parallel()
	fine := `{"topic":"a","data":1},`
	for item, word := range map[string]string{
		`{"topic":"a"}`:                           "missing",
		`{"topic":"a","data":1,"x":1}`:            "unknown",
		`{"topic":"a","data":1,"data":2}`:         "duplicate",
		`{"topic":"a","data":"\ud800"}`:           "surrogate",
		"{\"topic\":\"a\",\"data\":\"\xff\"}":     "UTF-8",
		`{"topic":"a","data":{"b":[1,{"c":1,}]}}`: "JSON",
		`{"topic":"a","data":tru}`:                "JSON",
		`7`:                                       "object",
		`{"data":1}`:                              "topic",
		`{"topic":"a","data":"` + strings.Repeat("x", 300<<10) + `"}`: "256 KiB",
	} {
		messages, err := event.DecodeBatch([]byte("["+fine+fine+item+","+fine[:len(fine)-1]+"]"), event.Defaults{})
		named, ok := errors.AsType[*event.ItemError](err)
		if !ok || named.Index != 2 || messages != nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%.60s: got %v, %v; want item 2 and a word about %q", item, messages, err, word)
		}
	}
}

func TestDecodeBatchLimits(t *testing.T) {
	t.Parallel()
	batch := func(n int) []byte {
		return []byte("[" + strings.TrimSuffix(strings.Repeat(`{"topic":"a","data":1},`, n), ",") + "]")
	}
	for n, want := range map[int]error{1: nil, event.MaxBatch: nil, event.MaxBatch + 1: event.ErrBatchTooLarge} {
		messages, err := event.DecodeBatch(batch(n), event.Defaults{})
		if !errors.Is(err, want) || want == nil && len(messages) != n {
			t.Errorf("%d messages: got %d, %v", n, len(messages), err)
		}
		if want != nil && !strings.Contains(fmt.Sprint(err), "1000") {
			t.Errorf("%v does not say the limit", err)
		}
	}
	if _, err := event.DecodeBatch([]byte(" [ ] "), event.Defaults{Topic: "a"}); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty batch: %v", err)
	}
}
