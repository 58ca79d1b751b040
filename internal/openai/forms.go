package openai

import (
	"bytes"
	"encoding/json"
	"strings"

	"tickertape/internal/sse"
)

// document is what is read of an event's data, in either form.
type document struct {
	Type  string          `json:"type"` // Responses
	Error json.RawMessage `json:"error"`

	// Chat Completions
	Choices []choice        `json:"choices"`
	Usage   json.RawMessage `json:"usage"`

	// Responses
	Delta    json.RawMessage `json:"delta"`
	Response response        `json:"response"`
}

type choice struct {
	Index int `json:"index"`
	Delta struct {
		Content json.RawMessage `json:"content"`
		Refusal json.RawMessage `json:"refusal"`
	} `json:"delta"`
	FinishReason *string `json:"finish_reason"`
}

type response struct {
	Error      json.RawMessage `json:"error"`
	Incomplete struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
	Usage  json.RawMessage `json:"usage"`
	Output []struct {
		Type string `json:"type"`
	} `json:"output"`
}

// take reads one event of the stream.
func (r *Reader) take(e sse.Event) {
	if strings.TrimSpace(e.Data) == "[DONE]" {
		r.seen = true
		if r.done == nil {
			r.done = &Done{}
		}
		r.end(*r.done)
		return
	}
	if e.Name != "message" && e.Name != "error" && !strings.HasPrefix(e.Name, "response.") {
		return
	}
	var d document
	if err := json.Unmarshal([]byte(e.Data), &d); err != nil {
		r.fail("an event cannot be read: %v", err)
		return
	}
	kind := d.Type
	if kind == "" && e.Name != "message" {
		kind = e.Name
	}
	switch {
	case kind == "error", isSet(d.Error):
		r.end(failure(d.Error, []byte(e.Data)))
	case kind == "":
		r.chat(d)
	case strings.HasPrefix(kind, "response."):
		r.seen = true
		r.response(kind, d)
	}
}

// chat reads a chunk of Chat Completions.
func (r *Reader) chat(d document) {
	r.seen = r.seen || d.Choices != nil
	for _, c := range d.Choices {
		if c.Index != 0 {
			continue
		}
		r.write(c.Delta.Content)
		r.write(c.Delta.Refusal)
		if c.FinishReason != nil && *c.FinishReason != "" {
			r.done = &Done{FinishReason: *c.FinishReason}
		}
	}
	// The usage of the whole comes last; some send one with each chunk.
	if r.done != nil && isSet(d.Usage) {
		r.done.Usage = compact(d.Usage)
	}
}

// response reads an event of Responses.
func (r *Reader) response(kind string, d document) {
	switch kind {
	case "response.output_text.delta", "response.refusal.delta":
		r.write(d.Delta)
	case "response.completed":
		r.end(Done{FinishReason: d.Response.completed(), Usage: compact(d.Response.Usage)})
	case "response.incomplete":
		r.end(Done{FinishReason: d.Response.incomplete(), Usage: compact(d.Response.Usage)})
	case "response.failed":
		r.end(failure(d.Response.Error, nil))
	}
}

func (o response) completed() string {
	for _, item := range o.Output {
		if item.Type == "function_call" {
			return "tool_calls"
		}
	}
	return "stop"
}

func (o response) incomplete() string {
	switch reason := o.Incomplete.Reason; reason {
	case "max_output_tokens":
		return "length"
	case "":
		return "incomplete"
	default:
		return reason
	}
}

// failure reads an error from the first document that has a message: the one
// inside of an event, or the event itself. A code may be a string or a number.
func failure(documents ...[]byte) Failed {
	for _, raw := range documents {
		var f struct {
			Message string `json:"message"`
			Type    string `json:"type"`
			Code    any    `json:"code"`
		}
		if json.Unmarshal(raw, &f) != nil || f.Message == "" {
			continue
		}
		if f.Type == "error" { // of the event, not of what went wrong
			f.Type = ""
		}
		return Failed{Message: f.Message, Type: f.Type, Code: codeText(f.Code)}
	}
	for _, raw := range documents {
		var text string
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return Failed{Message: text}
		}
	}
	return Failed{Message: "the upstream reported an error, and nothing about it"}
}

func codeText(code any) string {
	switch c := code.(type) {
	case string:
		return c
	case nil:
		return ""
	}
	text, err := json.Marshal(code)
	if err != nil {
		return ""
	}
	return string(text)
}

func isSet(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// compact returns valid JSON on one line, or nil.
func compact(raw json.RawMessage) json.RawMessage {
	if !isSet(raw) {
		return nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, bytes.ToValidUTF8(raw, []byte("\ufffd"))); err != nil {
		return nil
	}
	return b.Bytes()
}
