package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"tickertape/internal/openai"
	"tickertape/internal/watchdog"
)

// model is the one that is asked. OpenAI's library asks: it knows the requests,
// and tries again what passes. The answer is read by package openai, which bears
// characters that are split between tokens, and streams that end badly.
type model struct {
	name        string
	key         string
	api         API
	stall       time.Duration
	transport   *http.Client
	completions sdk.ChatCompletionService
	responses   responses.ResponseService
}

func newModel(o Options) (*model, error) {
	base := cmp.Or(o.BaseURL, "https://api.openai.com/v1")
	if u, err := url.Parse(base); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a URL like https://api.openai.com/v1", base)
	}
	if o.Model == "" {
		return nil, errors.New("no model is named")
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	m := &model{name: o.Model, key: o.Key, api: o.API, stall: o.Stall, transport: &http.Client{Transport: bounded{o.Transport}}}
	// These read nothing from the environment, unlike the library's client.
	settings := []option.RequestOption{option.WithBaseURL(strings.TrimSuffix(base, "/") + "/"), option.WithHTTPClient(m.transport)}
	if o.Key != "" {
		settings = append(settings, option.WithAPIKey(o.Key))
	}
	m.completions = sdk.NewChatCompletionService(settings...)
	m.responses = responses.NewResponseService(settings...)
	return m, nil
}

// answer asks, and hands on the parts of the answer, of which the last one is Done
// or Failed, unless ctx ends.
func (m *model) answer(ctx context.Context, prompt string, parts chan<- openai.Part) {
	asking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := watchdog.New(m.stall, cancel, fmt.Errorf("the model's server sent nothing for %v", m.stall))
	defer silence.Stop()
	body, err := m.ask(asking, silence, prompt)
	if failed, ok := errors.AsType[openai.Failed](err); ok {
		m.put(ctx, parts, m.failure(asking, failed))
		return
	}
	defer body.Close()
	answer := openai.NewReader(silence.Guard(body))
	for {
		part, err := answer.Next()
		if err != nil {
			return
		}
		if failed, ok := part.(openai.Failed); ok {
			part = m.failure(asking, failed)
		}
		if !m.put(ctx, parts, part) {
			return
		}
	}
}

func (m *model) put(ctx context.Context, parts chan<- openai.Part, part openai.Part) bool {
	select {
	case parts <- part:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask returns the body of the answer.
func (m *model) ask(ctx context.Context, silence *watchdog.Watchdog, prompt string) (io.ReadCloser, error) {
	silence.Start()
	defer silence.Stop()
	var answer *http.Response
	var err error
	into := option.WithResponseInto(&answer)
	if m.api == Responses {
		err = m.responses.NewStreaming(ctx, responses.ResponseNewParams{Model: m.name,
			Input: responses.ResponseNewParamsInputUnion{OfString: sdk.String(prompt)}}, into).Err()
	} else {
		err = m.completions.NewStreaming(ctx, sdk.ChatCompletionNewParams{Model: m.name,
			Messages:      []sdk.ChatCompletionMessageParamUnion{sdk.UserMessage(prompt)},
			StreamOptions: sdk.ChatCompletionStreamOptionsParam{IncludeUsage: sdk.Bool(true)}}, into).Err()
	}
	switch {
	case err == nil:
		return answer.Body, nil
	case answer != nil && answer.StatusCode >= http.StatusBadRequest:
		return nil, refusal(answer, err)
	}
	return nil, openai.Failed{Message: "the model's server cannot be reached: " + withoutURL(err).Error()}
}

// refusal words an answer that is an error.
func refusal(answer *http.Response, err error) openai.Failed {
	f := openai.Failed{Message: fmt.Sprintf("the model's server answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))}
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Message != "" {
		f.Message += ": " + e.Message
		f.Type, f.Code = e.Type, e.Code
	}
	return f
}

// failure returns what becomes of a failed answer, told to all who read the
// topic: the reason why it was broken off, if it was, and never the key, which
// servers have been seen to repeat.
func (m *model) failure(ctx context.Context, f openai.Failed) openai.Failed {
	if cause := context.Cause(ctx); cause != nil {
		f = openai.Failed{Message: cause.Error()}
	}
	if m.key != "" {
		f.Message = strings.ReplaceAll(f.Message, m.key, "***")
	}
	return f
}

// withoutURL returns what is behind an *url.Error.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
