package fakellm

import "fmt"

// chat is Chat Completions.
type chat struct{}

func (chat) begin(model string) []string {
	return []string{chunk(model, `{"role":"assistant","content":""}`, `null`)}
}

func (chat) token(quoted, model string, refusal bool) string {
	name := "content"
	if refusal {
		name = "refusal"
	}
	return chunk(model, fmt.Sprintf(`{%q:%s}`, name, quoted), `null`)
}

func chunk(model, delta, reason string) string {
	return fmt.Sprintf(`data: {"id":"chatcmpl-fake","object":"chat.completion.chunk","created":1767225600,"model":%s,`+
		`"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`, quote(model), delta, reason)
}

func (chat) end(model string, q query, tokens int) []string {
	events := []string{chunk(model, `{}`, `"stop"`)}
	if q.Options.Usage {
		asked := promptTokens(q.prompt)
		events = append(events, fmt.Sprintf(`data: {"id":"chatcmpl-fake","object":"chat.completion.chunk","created":1767225600,"model":%s,`+
			`"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`, quote(model), asked, tokens, asked+tokens))
	}
	return append(events, "data: [DONE]")
}

func (chat) failed() string {
	return "data: " + string(failure("overloaded", "The engine is overloaded"))
}

// responses is Responses.
type responses struct{}

func (responses) begin(model string) []string {
	return []string{fmt.Sprintf("event: response.created\ndata: "+`{"type":"response.created","response":{"id":"resp_fake","object":"response","model":%s,"output":[]}}`,
		quote(model))}
}

func (responses) token(quoted, _ string, refusal bool) string {
	name := "response.output_text.delta"
	if refusal {
		name = "response.refusal.delta"
	}
	return fmt.Sprintf("event: %[1]s\ndata: "+`{"type":%[1]q,"output_index":0,"content_index":0,"delta":%[2]s}`, name, quoted)
}

func (responses) end(model string, q query, tokens int) []string {
	asked := promptTokens(q.prompt)
	return []string{fmt.Sprintf("event: response.completed\ndata: "+`{"type":"response.completed","response":{"id":"resp_fake","object":"response","status":"completed",`+
		`"model":%s,"output":[{"type":"message"}],"usage":{"input_tokens":%d,"output_tokens":%d,"total_tokens":%d}}}`, quote(model), asked, tokens, asked+tokens)}
}

func (responses) failed() string {
	return `event: error` + "\n" + `data: {"type":"error","code":"overloaded","message":"The engine is overloaded"}`
}
