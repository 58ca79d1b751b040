package openai_test

import (
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"tickertape/internal/openai"
)

const recorded = "Tickertape sends 股价 to the browser.\n\n- fast\n- in order 👍🏽"

func TestRecordedStreams(t *testing.T) {
	t.Parallel()
	for file, usage := range map[string]string{"chat.sse": `"total_tokens":33`, "responses.sse": `"total_tokens":51`} {
		stream, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]io.Reader{
			"whole":        strings.NewReader(string(stream)),
			"byte by byte": iotest.OneByteReader(strings.NewReader(string(stream))),
			"CRLF":         strings.NewReader(strings.ReplaceAll(string(stream), "\n", "\r\n")),
			"CR":           strings.NewReader(strings.ReplaceAll(string(stream), "\n", "\r")),
			"comments":     strings.NewReader(strings.ReplaceAll(string(stream), "data:", ": OPENROUTER PROCESSING\ndata:")),
		} {
			text, last := read(t, r)
			if text != recorded {
				t.Errorf("%s, %s: text %q", file, name, text)
			}
			done, ok := last.(openai.Done)
			if !ok || done.FinishReason != "stop" || !strings.Contains(string(done.Usage), usage) {
				t.Errorf("%s, %s: ends with %+v", file, name, last)
			}
		}
	}
}

// TestCutStreams cuts the recorded streams in many places: what comes is a
// part of the text, and no cut before the end passes for an end.
func TestCutStreams(t *testing.T) {
	t.Parallel()
	for file, end := range map[string]string{"chat.sse": `"finish_reason":"stop"`, "responses.sse": "event: response.completed"} {
		stream, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		last := strings.Index(string(stream), end)
		block := last + strings.Index(string(stream[last:]), "\n\n") + 2
		for _, cut := range cuts(len(stream), block) {
			text, part := read(t, strings.NewReader(string(stream[:cut])))
			if !strings.HasPrefix(recorded, text) {
				t.Fatalf("%s cut at %d: text %q", file, cut, text)
			}
			if _, done := part.(openai.Done); done != (cut >= block) {
				t.Fatalf("%s cut at %d (the end is at %d): %+v", file, cut, block, part)
			}
		}
	}
}

// cuts returns places all over a stream, and those around the end of a block.
func cuts(size, block int) []int {
	places := []int{block - 2, block - 1, block, block + 1}
	for i := 0; i < size; i += 13 {
		places = append(places, i)
	}
	return places
}

func TestEnds(t *testing.T) {
	t.Parallel()
	const hi = `data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}` + "\n\n"
	for name, c := range map[string]struct {
		stream string
		text   string
		last   openai.Part
	}{
		"no [DONE]":      {hi + `data: {"choices":[{"delta":{},"finish_reason":"length"}]}` + "\n\n", "hi", openai.Done{FinishReason: "length"}},
		"only [DONE]":    {hi + "data: [DONE]\n\n" + hi, "hi", openai.Done{}},
		"usage with end": {hi + `data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{ "total_tokens": 1.50 }}` + "\n\n", "hi", openai.Done{FinishReason: "stop", Usage: []byte(`{"total_tokens":1.50}`)}},
		"refusal":        {`data: {"choices":[{"delta":{"refusal":"no"},"finish_reason":"stop"}]}` + "\n\n", "no", openai.Done{FinishReason: "stop"}},
		"first choice":   {hi + `data: {"choices":[{"index":1,"delta":{"content":"ho"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n", "hi", openai.Done{}},
		"unknown events": {"event: ping\ndata: x\n\ndata: {\"type\":\"new\"}\n\n" + hi + "data: [DONE]\n\n", "hi", openai.Done{}},
		"tool calls": {"event: response.completed\ndata: {\"response\":{\"output\":[{\"type\":\"function_call\"}]}}\n\n",
			"", openai.Done{FinishReason: "tool_calls"}},
		"incomplete": {"data: {\"type\":\"response.incomplete\",\"response\":{\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"usage\":{\"a\":1}}}\n\n",
			"", openai.Done{FinishReason: "length", Usage: []byte(`{"a":1}`)}},
		"error event": {hi + "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"boom\"}\n\n", "hi",
			openai.Failed{Message: "boom", Code: "server_error"}},
		"error within": {hi + "data: {\"error\":{\"message\":\"boom\",\"type\":\"invalid\",\"code\":429}}\n\n", "hi",
			openai.Failed{Message: "boom", Type: "invalid", Code: "429"}},
		"error as text": {"data: {\"error\":\"boom\"}\n\n", "", openai.Failed{Message: "boom"}},
		"failed": {"event: response.failed\ndata: {\"response\":{\"error\":{\"code\":\"server_error\",\"message\":\"boom\"}}}\n\n", "",
			openai.Failed{Message: "boom", Code: "server_error"}},
		"broken off": {hi, "hi", openai.Failed{Message: "the stream broke off before its end"}},
		"refused": {"{\n  \"error\": {\n    \"message\": \"Incorrect API key\",\n    \"code\": \"invalid_api_key\"\n  }\n}\n", "",
			openai.Failed{Message: "Incorrect API key", Code: "invalid_api_key"}},
		"no stream":     {"{\"choices\":[]}", "", openai.Failed{Message: `this is no stream of Chat Completions or Responses (was it asked for with "stream": true?)`}},
		"error of none": {"event: error\ndata: {}\n\n", "", openai.Failed{Message: "the upstream reported an error, and nothing about it"}},
		"huge":          {hi + "data: " + strings.Repeat("x", 9<<20), "hi", openai.Failed{Message: "an event of the stream is over 8 MiB"}},
	} {
		text, last := read(t, strings.NewReader(c.stream))
		if text != c.text || !reflect.DeepEqual(last, c.last) {
			t.Errorf("%s: %q, %+v", name, text, last)
		}
	}
}

func TestReadError(t *testing.T) {
	t.Parallel()
	_, last := read(t, iotest.ErrReader(errors.New("reset")))
	if f, ok := last.(openai.Failed); !ok || f.Error() != "the stream broke off: reset" {
		t.Errorf("%+v", last)
	}
}

// TestSplitCharacters puts characters together whose halves came apart.
func TestSplitCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pieces []string
		want   string
	}{
		{[]string{"\xe8\x82", "\xa1"}, "股"},
		{[]string{"a\xf0", "\x9f", "\x91", "\x8db"}, "a👍b"},
		{[]string{`\ud83d`, `\udc4d!`}, "👍!"},
		{[]string{`\ud83d`, `x`}, "\ufffdx"},
		{[]string{`\ud83d`}, "\ufffd"},
		{[]string{`\\ud83d`, `x`}, `\ud83dx`},
		{[]string{`\\\ud83d`, `\udc4d`}, `\👍`},
		{[]string{"\xe8\x82"}, "\ufffd\ufffd"},
		{[]string{"\xff", "ok"}, "\ufffdok"},
		{[]string{`a\n`, `b\u00e9`}, "a\nbé"},
	} {
		var stream strings.Builder
		for _, piece := range c.pieces {
			stream.WriteString(`data: {"type":"response.output_text.delta","delta":"` + piece + "\"}\n\n")
		}
		stream.WriteString("data: {\"type\":\"response.completed\"}\n\n")
		text, last := read(t, strings.NewReader(stream.String()))
		if _, ok := last.(openai.Done); !ok || text != c.want {
			t.Errorf("%q: %q, %+v", c.pieces, text, last)
		}
	}
}
