package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxBatch is the most messages that one batch may hold.
const MaxBatch = 1000

// Defaults are what a body's messages take for fields that they lack.
type Defaults struct {
	Topic          string
	Name           string
	Key            string
	IdempotencyKey string
	Lease          time.Duration // of messages that do not end their topic
	End            Status        // of a raw body: nothing else could say it
}

// document is a message as JSON.
type document struct {
	Topic          *string        `json:"topic"`
	Event          *string        `json:"event"`
	Key            *string        `json:"key"`
	Data           jsontext.Value `json:"data"`
	End            jsontext.Value `json:"end"`
	Lease          *string        `json:"lease"`
	IdempotencyKey *string        `json:"idempotency_key"`
}

// DecodeMessage reads one message from a JSON object and validates it.
// Unknown fields, fields given twice, invalid UTF-8 and half surrogates are
// refused; numbers keep the digits that they were written with.
func DecodeMessage(body []byte, d Defaults) (Message, error) {
	if m, ok := decodePlain(body, d); ok {
		return m, m.Validate()
	}
	return decodeDocument(body, d)
}

func decodeDocument(body []byte, d Defaults) (Message, error) {
	var doc document
	if err := json.Unmarshal(body, &doc, json.RejectUnknownMembers(true)); err != nil {
		return Message{}, describe(err)
	}
	return doc.message(d)
}

// DecodeBatch reads a JSON array of messages. An error names the item.
func DecodeBatch(body []byte, d Defaults) ([]Message, error) {
	if !IsArray(body) {
		return nil, invalid("body", "is not an array of messages")
	}
	r := jsontext.NewDecoder(bytes.NewBuffer(body))
	if _, err := r.ReadToken(); err != nil {
		return nil, describe(err)
	}
	var messages []Message
	for r.PeekKind() != ']' {
		if len(messages) == MaxBatch {
			return nil, fmt.Errorf("%w: it holds more than %d messages", ErrBatchTooLarge, MaxBatch)
		}
		item, err := r.ReadValue()
		if err != nil {
			return nil, &ItemError{Index: len(messages), Err: describe(err)}
		}
		m, err := DecodeMessage(item, d)
		if err != nil {
			return nil, &ItemError{Index: len(messages), Err: err}
		}
		messages = append(messages, m)
	}
	if err := ended(r); err != nil {
		return nil, err
	}
	if len(messages) == 0 {
		return nil, invalid("body", "is an empty batch")
	}
	return messages, nil
}

// ended reads the end of the array, behind which nothing may stand.
func ended(r *jsontext.Decoder) error {
	if _, err := r.ReadToken(); err != nil {
		return describe(err)
	}
	switch _, err := r.ReadToken(); {
	case err == nil:
		return invalid("body", "has something behind its array of messages")
	case errors.Is(err, io.EOF):
		return nil
	default:
		return describe(err)
	}
}

// ErrBatchTooLarge says that a batch holds over MaxBatch messages.
var ErrBatchTooLarge = errors.New("the batch is too large")

// RawMessage makes a message whose data is the body itself. If it ends its
// topic, one without a body is the end alone.
func RawMessage(body []byte, d Defaults) (Message, error) {
	m := Message{Topic: Topic(d.Topic), Name: d.Name, Key: d.Key, IdempotencyKey: d.IdempotencyKey,
		Data: Data{Text: string(body)}, End: d.End, Lease: d.Lease}
	if m.End != "" && len(body) == 0 {
		m.EndOnly, m.Name, m.Key = true, "", ""
	}
	return m, m.Validate()
}

// DecodeEnd reads how a topic ends from a JSON object with a status. Where
// nothing is said, it is completed.
func DecodeEnd(body []byte) (Status, error) {
	body = bytes.Trim(body, " \t\r\n")
	switch {
	case len(body) == 0:
		return Completed, nil
	case body[0] != '{':
		return "", invalid("body", `is not an object like {"status":"failed"}`)
	}
	var doc struct {
		Status *string `json:"status"`
	}
	if err := json.Unmarshal(body, &doc, json.RejectUnknownMembers(true)); err != nil {
		return "", describe(err)
	}
	status, err := ParseStatus(or(doc.Status, string(Completed)))
	if err != nil {
		return "", invalid("status", `is %.64q; use "completed", "failed" or "cancelled"`, *doc.Status)
	}
	return status, nil
}

// IsArray reports whether a JSON body is an array, and so a batch.
func IsArray(body []byte) bool { return jsontext.Value(bytes.TrimLeft(body, " \t\r\n")).Kind() == '[' }

func (doc document) message(d Defaults) (Message, error) {
	m := Message{
		Topic:          Topic(or(doc.Topic, d.Topic)),
		Name:           or(doc.Event, d.Name),
		Key:            or(doc.Key, d.Key),
		IdempotencyKey: or(doc.IdempotencyKey, d.IdempotencyKey),
	}
	if doc.Event != nil && *doc.Event == "" {
		return Message{}, invalid("event", "is empty; leave it out for %q", DefaultName)
	}
	if err := doc.end(&m, d.Lease); err != nil {
		return Message{}, err
	}
	switch doc.Data.Kind() {
	case 0:
		if m.End == "" {
			return Message{}, invalid("data", "is missing")
		}
		// What the query says of name and key is for messages.
		m.EndOnly, m.Name, m.Key = true, or(doc.Event, ""), or(doc.Key, "")
	case '"':
		text, err := jsontext.AppendUnquote(nil, doc.Data)
		if err != nil {
			return Message{}, invalid("data", "is not a valid string: %v", err)
		}
		m.Data.Text = string(text)
	default:
		if err := doc.Data.Compact(); err != nil {
			return Message{}, invalid("data", "is not valid JSON: %v", err)
		}
		m.Data = Data{Text: string(doc.Data), JSON: true}
	}
	return m, m.Validate()
}

// end reads how the message ends its topic, and how long that may be without one.
func (doc document) end(m *Message, lease time.Duration) (err error) {
	switch doc.End.Kind() {
	case 0, 'f', 'n':
	case 't':
		m.End = Completed
	case '"':
		var text []byte
		if text, err = jsontext.AppendUnquote(nil, doc.End); err == nil {
			m.End, err = ParseStatus(string(text))
		}
	default:
		_, err = ParseStatus(string(doc.End))
	}
	switch {
	case err != nil:
	case doc.Lease != nil:
		m.Lease, err = ParseLease(*doc.Lease)
	case m.End == "":
		m.Lease = lease
	}
	return err
}

func or(s *string, fallback string) string {
	if s != nil {
		return *s
	}
	return fallback
}

// describe turns a decoder's error into one that names the place in the body
// and no Go type.
func describe(err error) error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		place := fmt.Sprintf("at byte %d", syntactic.ByteOffset)
		if syntactic.JSONPointer != "" {
			place += fmt.Sprintf(", in %.100q", syntactic.JSONPointer)
		}
		return invalid("body", "is not valid JSON: %v (%s)", syntactic.Err, place)
	}
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return invalid("body", "is not valid JSON: %v", err)
	}
	field := string(semantic.JSONPointer)
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return invalid("body", "has an unknown field %.64q", semantic.JSONPointer.LastToken())
	case field == "":
		return invalid("body", "is JSON, but not an object with topic, event and data")
	default:
		return invalid(semantic.JSONPointer.LastToken(), "must be a string")
	}
}
