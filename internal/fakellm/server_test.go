package fakellm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"tickertape/internal/fakellm"
	"tickertape/internal/openai"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const prompt = `Say "hi" <now>`

// bodies ask for the same by both interfaces.
var bodies = map[string]string{
	"/v1/chat/completions": `{"model":%q,"messages":[{"role":"system","content":"x"},{"role":"user","content":%q}],"stream":true,"stream_options":{"include_usage":true}}`,
	"/v1/responses":        `{"model":%q,"input":%q,"stream":true}`,
}

func serve(t *testing.T, o fakellm.Options) (*fakellm.Server, *httptest.Server) {
	t.Helper()
	llm := fakellm.New(o)
	server := httptest.NewServer(llm)
	t.Cleanup(server.Close)
	return llm, server
}

func ask(t *testing.T, ctx context.Context, url, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer k")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close(); http.DefaultClient.CloseIdleConnections() })
	return answer
}

// read returns the text of an answer and how it ended.
func read(t *testing.T, body io.Reader) (text string, last openai.Part) {
	t.Helper()
	for r := openai.NewReader(body); ; {
		part, err := r.Next()
		if errors.Is(err, io.EOF) {
			return text, last
		}
		if delta, ok := part.(openai.Delta); ok {
			text += string(delta)
		}
		last = part
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	llm, server := serve(t, fakellm.Options{Seed: 7, Tokens: 50})
	want := llm.Answer(prompt)
	if !utf8.ValidString(want) || !strings.Contains(want, prompt) || fakellm.New(fakellm.Options{Seed: 8, Tokens: 50}).Answer(prompt) == want {
		t.Errorf("the text is %q", want)
	}
	for path, body := range bodies {
		for _, fault := range []string{"", ":split", ":refusal"} {
			answer := ask(t, t.Context(), server.URL+path, fmt.Sprintf(body, "fake"+fault, prompt))
			text, last := read(t, answer.Body)
			done, ok := last.(openai.Done)
			if text != want || !ok || done.FinishReason != "stop" || !strings.Contains(string(done.Usage), `"total_tokens":`) {
				t.Errorf("%s%s: %q, %+v", path, fault, text, last)
			}
		}
	}
	for _, a := range llm.Asked() {
		if a.Prompt != prompt || a.Key != "k" || a.Tokens < 50 || !a.Whole || a.Gone {
			t.Errorf("asked %+v", a)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	llm, server := serve(t, fakellm.Options{Tokens: 20})
	for path, body := range bodies {
		for fault, status := range map[fakellm.Fault]int{fakellm.Refused: 401, fakellm.Busy: 429, fakellm.Broken: 500, fakellm.Break: 200,
			fakellm.Cut: 200, fakellm.Half: 200, fakellm.Fails: 200, fakellm.Huge: 200, fakellm.Page: 200, "no-such": 404} {
			answer := ask(t, t.Context(), server.URL+path, fmt.Sprintf(body, "fake:"+fault, prompt))
			text, last := read(t, answer.Body)
			if _, ok := last.(openai.Failed); !ok || answer.StatusCode != status || !strings.HasPrefix(llm.Answer(prompt), strings.TrimRight(text, "\ufffd")) {
				t.Errorf("%s %s: %d, %q, %+v", path, fault, answer.StatusCode, text, last)
			}
		}
	}
	for path, body := range map[string]string{"/v1/responses": `{"model":"fake","input":"x"}`, "/v1/chat/completions": `{"model":"fake","stream":true}`} {
		if answer := ask(t, t.Context(), server.URL+path, body); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", body, answer.StatusCode)
		}
	}
	if answer := ask(t, t.Context(), server.URL+"/v1/models", "{}"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("models: %d", answer.StatusCode)
	}
}

// It notices when the caller goes away, also while it says nothing.
func TestGone(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"fake:hang", "fake:stall", "fake"} {
		llm, server := serve(t, fakellm.Options{Delay: 50 * time.Millisecond})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		asking := make(chan struct{})
		go func() {
			defer close(asking)
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v1/responses", strings.NewReader(fmt.Sprintf(bodies["/v1/responses"], model, prompt)))
			if err != nil {
				return
			}
			if answer, err := http.DefaultClient.Do(r); err == nil {
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		}()
		until(t, func() bool { a := llm.Asked(); return len(a) == 1 && (a[0].Tokens > 0 || model == "fake:hang") })
		cancel()
		<-asking
		until(t, func() bool { return llm.Asked()[0].Gone })
	}
}

// until waits for a condition.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("it never came so far")
		}
	}
}
