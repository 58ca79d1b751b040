package openai_test

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"tickertape/internal/openai"
)

// read returns an answer's text and its last part, and checks what holds for
// every answer.
func read(t *testing.T, r io.Reader) (string, openai.Part) {
	t.Helper()
	reader := openai.NewReader(r)
	var text strings.Builder
	var last openai.Part
	for {
		part, err := reader.Next()
		if errors.Is(err, io.EOF) {
			if last == nil {
				t.Fatal("an answer has no end")
			}
			return text.String(), last
		}
		if err != nil {
			t.Fatalf("error %v", err)
		}
		if last != nil {
			t.Fatalf("%+v behind the end", part)
		}
		switch p := part.(type) {
		case openai.Delta:
			if p == "" || !utf8.ValidString(string(p)) {
				t.Fatalf("a delta is %q", string(p))
			}
			text.WriteString(string(p))
		case openai.Done:
			if p.Usage != nil && (!json.Valid(p.Usage) || !utf8.Valid(p.Usage)) {
				t.Fatalf("usage is %q", p.Usage)
			}
			last = p
		case openai.Failed:
			if p.Message == "" {
				t.Fatal("a failure says nothing")
			}
			last = p
		}
	}
}

func FuzzReader(f *testing.F) {
	// Short ones: the fuzzer spends its time on making long ones shorter.
	f.Add([]byte("data: {\"choices\":[{\"delta\":{\"content\":\"\\ud83d\"}}]}\n\nevent: error\ndata: {\"code\":7}\n\n"))
	f.Add([]byte("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"usage\":{}}\n\ndata: [DONE]\n\n"))
	f.Add([]byte("event: response.output_text.delta\ndata: {\"delta\":\"\xe8\"}\n\nevent: response.completed\ndata: {}\n\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		text, last := read(t, strings.NewReader(string(stream)))
		again, lastAgain := read(t, iotest.OneByteReader(strings.NewReader(string(stream))))
		if text != again || !reflect.DeepEqual(last, lastAgain) {
			t.Errorf("read byte by byte: %q, %+v instead of %q, %+v", again, lastAgain, text, last)
		}
	})
}
