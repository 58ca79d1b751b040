package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tickertape/internal/event"
)

// FuzzDecodeMessage: what the decoder takes says the same to another JSON
// reader, is valid, and survives the way through an envelope.
func FuzzDecodeMessage(f *testing.F) {
	for _, seed := range messageSeeds {
		f.Add([]byte(seed), "news", "", "", "")
	}
	f.Add([]byte(`{"data":1}`), "", "", "", "")
	f.Add([]byte(`{"data":1}`), "a.b", "error", "k\x00", "\xff")
	f.Add([]byte(`{"data":""}`), "hub.x", "hub.x", strings.Repeat("k", 129), "once")
	f.Fuzz(func(t *testing.T, body []byte, topic, name, key, once string) {
		d := event.Defaults{Topic: topic, Name: name, Key: key, IdempotencyKey: once}
		m, err := event.DecodeMessage(body, d)
		if err != nil {
			expectRefusal(t, err)
			return
		}
		expectValid(t, m)
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(body, &fields); err != nil {
			t.Fatalf("%q was taken, but is no JSON object: %v", body, err)
		}
		expectFields(t, fields, m, d)
		expectEnvelope(t, m)
	})
}

// FuzzDecodeBatch: a batch is its messages, each read as if it came alone,
// and a refusal names the first that is wrong.
func FuzzDecodeBatch(f *testing.F) {
	f.Add([]byte(`[]`), "")
	f.Add([]byte(`[{"data":1},{"data":null}]`), "news")
	f.Add([]byte(` [ {"data":"x","topic":"a"} , {"data":"y"} ] `), "b")
	f.Add([]byte(`[{"data":1},2]`), "news")
	f.Add([]byte(`[[{"data":1}]]`), "news")
	f.Add([]byte(`[{"data":1}`), "news")
	f.Add([]byte(`[{"data":1}] []`), "news")
	f.Add([]byte(`null`), "news")
	for _, seed := range messageSeeds {
		f.Add([]byte(`[{"data":1},`+seed+`]`), "news")
	}
	f.Fuzz(func(t *testing.T, body []byte, topic string) {
		d := event.Defaults{Topic: topic}
		messages, err := event.DecodeBatch(body, d)
		var items []json.RawMessage
		jsonErr := json.Unmarshal(body, &items)
		if err != nil {
			expectRefusal(t, err)
			if item, ok := errors.AsType[*event.ItemError](err); ok && jsonErr == nil {
				if _, err := event.DecodeMessage(items[item.Index], d); err == nil {
					t.Fatalf("%q: item %d is blamed, but fine: %v", body, item.Index, err)
				}
			}
			return
		}
		if jsonErr != nil || len(messages) != len(items) || len(messages) == 0 || !event.IsArray(body) {
			t.Fatalf("%q: %d messages of %d items (%v)", body, len(messages), len(items), jsonErr)
		}
		for i, item := range items {
			m, err := event.DecodeMessage(item, d)
			if err != nil || m != messages[i] {
				t.Fatalf("%q: item %d is %+v in the batch, %+v alone (%v)", body, i, messages[i], m, err)
			}
			expectValid(t, m)
		}
	})
}

// FuzzRawMessage: a raw body is the data, byte for byte.
func FuzzRawMessage(f *testing.F) {
	for _, seed := range []string{"", "hi", "a\r\n\nb", "\x00", "\xff", "\ufeff", `{"data":1}`, "\xed\xa0\x80"} {
		f.Add([]byte(seed), "news", "", "", "")
	}
	f.Add([]byte("x"), "hub", "open", "\n", "")
	f.Fuzz(func(t *testing.T, body []byte, topic, name, key, once string) {
		m, err := event.RawMessage(body, event.Defaults{Topic: topic, Name: name, Key: key, IdempotencyKey: once})
		if err != nil {
			expectRefusal(t, err)
			return
		}
		expectValid(t, m)
		want := event.Message{Topic: event.Topic(topic), Name: name, Key: key, IdempotencyKey: once,
			Data: event.Data{Text: string(body)}}
		if m != want {
			t.Fatalf("got %+v, want %+v", m, want)
		}
		expectEnvelope(t, m)
	})
}

// expectRefusal: every refusal is one of the kinds that have a status of
// their own, and can be shown to whoever caused it.
func expectRefusal(t *testing.T, err error) {
	t.Helper()
	_, invalid := errors.AsType[*event.InvalidError](err)
	if !invalid && !errors.Is(err, event.ErrTooLarge) && !errors.Is(err, event.ErrBatchTooLarge) {
		t.Fatalf("a refusal of no known kind: %v", err)
	}
	if text := err.Error(); text == "" || !utf8.ValidString(text) || strings.Contains(text, "event.document") {
		t.Fatalf("a refusal that helps nobody: %q", text)
	}
}

// expectValid checks, in other words than Validate, that nothing got in which
// could forge a frame or mean something to a browser.
func expectValid(t *testing.T, m event.Message) {
	t.Helper()
	if err := m.Validate(); err != nil {
		t.Fatalf("%+v was taken: %v", m, err)
	}
	if !plainTopic.MatchString(string(m.Topic)) || len(m.Topic) > 255 || m.Topic == "hub" || strings.HasPrefix(string(m.Topic), "hub.") {
		t.Fatalf("topic %q was taken", m.Topic)
	}
	for _, field := range []string{m.Name, m.Key, m.IdempotencyKey} {
		if strings.ContainsAny(field, "\r\n\x00") || !utf8.ValidString(field) || len(field) > 128 {
			t.Fatalf("%q was taken", field)
		}
	}
	if slices.Contains([]string{"error", "open", "hub"}, m.Name) || strings.HasPrefix(m.Name, "hub.") {
		t.Fatalf("event name %q was taken", m.Name)
	}
	if !utf8.ValidString(m.Data.Text) || len(m.Data.Text) > event.MaxData {
		t.Fatalf("data %q was taken", m.Data.Text)
	}
	if !slices.Contains([]event.Status{"", event.Completed, event.Failed, event.Cancelled}, m.End) {
		t.Fatalf("the end %q was taken", m.End)
	}
	if m.Lease != 0 && (m.Lease < time.Second || m.Lease > 24*time.Hour || m.End != "") {
		t.Fatalf("the lease %v was taken, with the end %q", m.Lease, m.End)
	}
	if m.EndOnly && (m.End == "" || m.Data != event.Data{} || m.Name != "" || m.Key != "") {
		t.Fatalf("%+v was taken for an end by itself", m)
	}
}

// expectFields compares a message with its fields as encoding/json reads them.
func expectFields(t *testing.T, fields map[string]json.RawMessage, m event.Message, d event.Defaults) {
	t.Helper()
	got := map[string]string{"topic": string(m.Topic), "event": m.Name, "key": m.Key, "idempotency_key": m.IdempotencyKey, "lease": ""}
	want := map[string]string{"topic": d.Topic, "event": d.Name, "key": d.Key, "idempotency_key": d.IdempotencyKey, "lease": ""}
	if m.EndOnly {
		want["event"], want["key"] = "", ""
	}
	for name, value := range fields {
		if name == "data" || name == "end" {
			continue
		}
		if _, known := want[name]; !known {
			t.Fatalf("the unknown field %q was taken", name)
		}
		var text *string
		if err := json.Unmarshal(value, &text); err != nil {
			t.Fatalf("%s %s was taken: %v", name, value, err)
		}
		if text != nil {
			want[name] = *text
		}
	}
	if lease, err := time.ParseDuration(want["lease"]); err == nil && lease == m.Lease {
		want["lease"] = ""
	}
	if !maps.Equal(got, want) {
		t.Fatalf("got %q, want %q (lease %v)", got, want, m.Lease)
	}
	expectEnd(t, fields, m)
	expectData(t, fields["data"], m)
}

// expectEnd compares how a message ends its topic with what was written.
func expectEnd(t *testing.T, fields map[string]json.RawMessage, m event.Message) {
	t.Helper()
	var want string
	switch written := string(fields["end"]); written {
	case "", "null", "false":
	case "true":
		want = "completed"
	default:
		if err := json.Unmarshal(fields["end"], &want); err != nil || want == "" {
			t.Fatalf("end %s was taken: %v", written, err)
		}
	}
	if _, hasData := fields["data"]; string(m.End) != want || m.EndOnly == hasData {
		t.Fatalf("end %s became %q, by itself: %v", fields["end"], m.End, m.EndOnly)
	}
}

// expectData compares a message's data with what was written.
func expectData(t *testing.T, written json.RawMessage, m event.Message) {
	t.Helper()
	if m.EndOnly {
		return
	}
	var text string
	isText := bytes.HasPrefix(bytes.TrimLeft(written, " \t\r\n"), []byte{'"'})
	if isText {
		if err := json.Unmarshal(written, &text); err != nil {
			t.Fatalf("data %s was taken: %v", written, err)
		}
	} else {
		var compact bytes.Buffer
		if err := json.Compact(&compact, written); err != nil {
			t.Fatalf("data %s was taken: %v", written, err)
		}
		text = compact.String()
	}
	if isText == m.Data.JSON || text != m.Data.Text {
		t.Fatalf("data %s became %+v", written, m.Data)
	}
}

// expectEnvelope: an envelope is one line of JSON and gives the data back.
func expectEnvelope(t *testing.T, m event.Message) {
	t.Helper()
	e := event.Event{Topic: m.Topic, Name: m.Name, Key: m.Key, Data: m.Data}
	if m.EndOnly {
		e = event.NewEnd(m.Topic, event.KindLog, m.End)
	}
	e.Epoch, e.Position = event.Epoch{Store: 1, Number: 1}, event.Position{MS: 1}
	line, err := e.Envelope().AppendJSON(nil)
	if err != nil {
		t.Fatalf("%+v has no envelope: %v", m, err)
	}
	if bytes.ContainsAny(line, "\r\n\x00") || !json.Valid(line) {
		t.Fatalf("an envelope that is not one line of JSON: %q", line)
	}
	data, err := e.Envelope().Text()
	if err != nil || data != e.Data {
		t.Fatalf("%+v came back as %+v (%v)", e.Data, data, err)
	}
}
