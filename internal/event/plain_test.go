package event_test

import (
	"errors"
	"testing"

	"tickertape/internal/event"
)

// plainSeeds are bodies around what the short way takes.
var plainSeeds = []string{
	`{"topic":"a","data":"x"}`, " \t\r\n{ \"topic\"\t:\r\"a\" , \"data\" : \"x\" } \n", `{"data":"é` + "\u2028\u007f" + `"}`,
	`{"topic":"a","data":"x","event":"e","key":"k","idempotency_key":"i"}`, `{"data":"x","data":"x"}`, `{"data":"x","end":"failed"}`,
	`{"data":"x","lease":"30s"}`, `{"event":"","data":"x"}`, `{"key":"","idempotency_key":"","topic":"","data":""}`, `{"topic":"a"}`,
	`{"data":"a\nb"}`, "{\"data\":\"a\nb\"}", "{\"data\":\"a\x1fb\"}", `{"d\u0061ta":"x"}`, "{\"data\":\"\xed\xa0\x80\"}", "{\"key\":\"\xff\",\"data\":\"\"}",
	`{"data":"x",}`, `{,"data":"x"}`, `{"data":"x"},`, `{"data":"x"`, `{"data":"x`, `{"data" "x"}`, `{"data":}`, `{data:"x"}`, `{"data":"x"}}`,
	"{\"data\":\"x\"}\x00", "\v{\"data\":\"x\"}", `{"data":"x";"key":"k"}`, `{"":"x","data":"x"}`,
}

// FuzzPlain: the short way for plain messages leads where the long one does.
func FuzzPlain(f *testing.F) {
	for _, seed := range append(plainSeeds, messageSeeds...) {
		f.Add([]byte(seed), "news", "e", "k", "once")
		f.Add([]byte(seed), "", "", "", "")
	}
	f.Fuzz(func(t *testing.T, body []byte, topic, name, key, once string) {
		d := event.Defaults{Topic: topic, Name: name, Key: key, IdempotencyKey: once, Lease: event.MinLease}
		before := string(body)
		m, err := event.DecodeMessage(body, d)
		if string(body) != before {
			t.Fatalf("%q came to be %q", before, body)
		}
		want, wantErr := event.DecodeDocument(body, d)
		if errors.Is(err, event.ErrTooLarge) != errors.Is(wantErr, event.ErrTooLarge) || text(err) != text(wantErr) || err == nil && m != want {
			t.Fatalf("%q: got %+v (%v), want %+v (%v)", before, m, err, want, wantErr)
		}
	})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestPlainMessagesTakeTheShortWay(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"topic":"chat.7","data":"word"}` + "\n":                                          true,
		` { "data" : "" , "key" : "k" , "event" : "e" , "idempotency_key" : "o" } ` + "\n": true,
		`{"data":"Größe"}`:       true,
		`{"data":"a\u0000"}`:     false,
		`{"data":"x","end":"t"}`: false,
		`{"data":1}`:             false,
	} {
		m, got := event.DecodePlain([]byte(body), event.Defaults{Topic: "a", Lease: event.MaxLease})
		if got != want || got && m.Lease != event.MaxLease {
			t.Errorf("%q: got %+v, %v, want %v", body, m, got, want)
		}
	}
}

func TestAPlainMessageIsNotOfItsBody(t *testing.T) {
	t.Parallel()
	body := []byte(`{"topic":"a","event":"e","key":"k","data":"x","idempotency_key":"i"}`)
	m, err := event.DecodeMessage(body, event.Defaults{})
	clear(body)
	want := event.Message{Topic: "a", Name: "e", Key: "k", Data: event.Data{Text: "x"}, IdempotencyKey: "i"}
	if err != nil || m != want {
		t.Fatalf("got %+v (%v), want %+v", m, err, want)
	}
}
