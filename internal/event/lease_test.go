package event_test

import (
	"testing"

	"tickertape/internal/event"
)

// FuzzLease: a lease that is taken is one that a message may have.
func FuzzLease(f *testing.F) {
	for _, text := range []string{"30s", "1h30m", "0", "-1s", "1e3s", "9999999999h", ".s", "1s1s1s", "30", "", "1\u00b5s", "86400s", "24h0m0.0000000001s", "+2s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := event.ParseLease(text)
		if err != nil {
			expectRefusal(t, err)
			return
		}
		if err := (event.Message{Topic: "a", Lease: d}).Validate(); err != nil || d < event.MinLease || d > event.MaxLease {
			t.Fatalf("%q is %v, %v", text, d, err)
		}
	})
}

// FuzzDecodeEnd: an end that is taken is one that a message may have.
func FuzzDecodeEnd(f *testing.F) {
	for _, body := range []string{"", " ", "{}", `{"status":"failed"}`, `{"status":""}`, `{"status":null}`, `{"status":"producer_lost"}`, `{"status":"failed","status":"completed"}`, `{"Status":"failed"}`, "[]", `{"a":1}`, "\xff", `{"status":"\ud800"}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		status, err := event.DecodeEnd(body)
		if err != nil {
			expectRefusal(t, err)
			return
		}
		if err := (event.Message{Topic: "a", End: status, EndOnly: true}).Validate(); err != nil {
			t.Fatalf("%q is %q, %v", body, status, err)
		}
	})
}
