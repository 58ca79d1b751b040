package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"

	"tickertape/internal/event"
)

// Receipt is the hub's answer to one message.
type Receipt struct {
	Topic     event.Topic `json:"topic"`
	ID        string      `json:"id"`        // a cursor: who goes on from it gets what came after the message
	Duplicate bool        `json:"duplicate"` // the message was stored before; ID is that one's
}

// document is a message as the body of a request.
type document struct {
	Topic          event.Topic `json:"topic"`
	Event          string      `json:"event,omitempty"`
	Key            string      `json:"key,omitempty"`
	Data           any         `json:"data,omitempty"` // nil for an end by itself
	End            string      `json:"end,omitempty"`
	Lease          string      `json:"lease,omitempty"`
	IdempotencyKey string      `json:"idempotency_key,omitempty"`
}

// Publish publishes one message. Data that is JSON stays JSON, numbers with
// the digits that they were written with.
//
// The error is an *Error if the hub answered, and an *event.InvalidError for
// data that has no form as JSON. Everything else that the hub would refuse is
// left to it; an Error for a topic that has ended is an *event.EndedError, too.
// After an error that is Passing the message may be stored, unless
// an Error says otherwise; with an idempotency key it can be published again
// without doubling, for as long as the hub remembers keys. A Producer is Pipe's
// business: its numbers are not sent here.
func (c *Client) Publish(ctx context.Context, m event.Message) (Receipt, error) {
	doc, err := newDocument(m)
	if err != nil {
		return Receipt{}, err
	}
	var receipt Receipt
	if err := c.post(ctx, c.publish, doc, m.IdempotencyKey != "", &receipt); err != nil {
		return Receipt{}, endedAs(err, m.Topic)
	}
	if receipt.ID == "" {
		return Receipt{}, fmt.Errorf("POST %s: %w: it has no id", c.publish, errNotHub)
	}
	return receipt, nil
}

// PublishBatch publishes messages in one step, all or none of them. An error
// about one of them names it: Error.Item, or an *event.ItemError.
func (c *Client) PublishBatch(ctx context.Context, messages []event.Message) ([]Receipt, error) {
	docs, again := make([]document, len(messages)), true
	for i, m := range messages {
		doc, err := newDocument(m)
		if err != nil {
			return nil, &event.ItemError{Index: i, Err: err}
		}
		docs[i] = doc
		again = again && m.IdempotencyKey != ""
	}
	var answer struct {
		Results []Receipt `json:"results"`
	}
	if err := c.post(ctx, c.publish, docs, again, &answer); err != nil {
		if e, ok := errors.AsType[*Error](err); ok && e.Item != nil && *e.Item >= 0 && *e.Item < len(messages) {
			return nil, endedAs(e, messages[*e.Item].Topic)
		}
		return nil, err
	}
	if len(answer.Results) != len(messages) {
		return nil, fmt.Errorf("POST %s: %w: %d results for %d messages", c.publish, errNotHub, len(answer.Results), len(messages))
	}
	return answer.Results, nil
}

func newDocument(m event.Message) (document, error) {
	for _, f := range [...]struct{ name, text string }{{"topic", string(m.Topic)}, {"event", m.Name},
		{"key", m.Key}, {"idempotency_key", m.IdempotencyKey}, {"data", m.Data.Text}} {
		if !utf8.ValidString(f.text) {
			return document{}, invalid(f.name, "is not valid UTF-8")
		}
	}
	doc := document{Topic: m.Topic, Event: m.Name, Key: m.Key, Data: m.Data.Text, End: string(m.End), IdempotencyKey: m.IdempotencyKey}
	if m.EndOnly {
		doc.Data = nil
	}
	if m.Lease != 0 {
		doc.Lease = m.Lease.String()
	}
	if m.Data.JSON {
		if !json.Valid([]byte(m.Data.Text)) {
			return document{}, invalid("data", "is not valid JSON")
		}
		doc.Data = json.RawMessage(m.Data.Text)
	}
	return doc, nil
}

// post sends a body, or nil for none, to an address and decodes the answer into result. If the request may
// come again without harm, the transport sends it once more by itself when it
// took a connection that the hub had closed just then.
func (c *Client) post(ctx context.Context, to string, body any, again bool, result any) error {
	var encoded bytes.Buffer
	if body != nil {
		e := json.NewEncoder(&encoded)
		e.SetEscapeHTML(false)
		if err := e.Encode(body); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout,
		fmt.Errorf("no answer in %v: %w", c.timeout, context.DeadlineExceeded))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(encoded.Bytes()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if again {
		// An empty list tells the transport, but sends no header.
		request.Header["Idempotency-Key"] = []string{}
	}
	if err := (&bearer{ask: c.credential}).authorize(request); err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return &unreachable{err}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return answerError(response)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return &unreachable{fmt.Errorf("POST %s: the answer broke off: %w", to, err)}
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("POST %s: %w: %w", to, errNotHub, err)
	}
	return nil
}
