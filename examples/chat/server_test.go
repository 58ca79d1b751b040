package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/fakellm"
	"tickertape/internal/nodetest"
)

const media = "application/json"

// question asks the backend and returns the topic of the answer.
func (b *backend) question(t *testing.T, prompt string) event.Topic {
	t.Helper()
	body, err := json.Marshal(map[string]string{"prompt": prompt})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Topic event.Topic }
	status, text := b.ask(http.MethodPost, "/ask", media, string(body))
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("asked: %d %s", status, text)
	}
	return answer.Topic
}

// history returns a topic's text, and its state.
func history(t *testing.T, n *nodetest.Node, topic event.Topic) (text string, status event.Status) {
	t.Helper()
	clock, err := n.Bus.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page, err := n.Bus.History(t.Context(), event.Range{Topic: topic, Upto: clock.Position})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Events {
		if status = e.End; e.Name == "" {
			text += e.Data.Text
		}
	}
	return text, status
}

func TestAskAndStop(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t, nodetest.Options{})
	llm, url := serveModel(t, fakellm.Options{Delay: 20 * time.Millisecond, Tokens: 60})
	b := startBackend(t, n.URL, url, "CHAT_ANSWERS=2")
	ended := func(topic event.Topic) func() bool {
		return func() bool { _, status := history(t, n, topic); return status != "" }
	}
	whole := b.question(t, "  Why? ")
	until(t, "the answer has ended", ended(whole))
	if text, status := history(t, n, whole); text != llm.Answer("Why?") || status != event.Completed {
		t.Errorf("%q, %s", text, status)
	}

	first, second := b.question(t, "one"), b.question(t, "two")
	if status, text := b.ask(http.MethodPost, "/ask", media, `{"prompt":"three"}`); status != http.StatusTooManyRequests {
		t.Errorf("a third answer at once: %d %s", status, text)
	}
	for range 2 { // a second time does no harm
		if status, text := b.ask(http.MethodPost, "/stop", media, fmt.Sprintf(`{"topic":%q}`, first)); status != http.StatusOK || text != `{"status":"cancelled"}` {
			t.Errorf("stopped: %d %s", status, text)
		}
	}
	until(t, "there is room for another answer", func() bool {
		status, _ := b.ask(http.MethodPost, "/ask", media, `{"prompt":"three"}`)
		return status == http.StatusOK
	})
	b.term(t)
	if _, status := history(t, n, second); status != event.Cancelled {
		t.Errorf("an answer that its process gave up: %q", status)
	}
	for _, a := range llm.Asked()[1:] {
		if !a.Gone {
			t.Errorf("the model goes on with %+v", a)
		}
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t, nodetest.Options{})
	llm, url := serveModel(t, fakellm.Options{})
	b := startBackend(t, n.URL, url)
	for _, row := range []struct {
		path, media, body string
		status            int
	}{
		{"/ask", "text/plain", `{"prompt":"x"}`, http.StatusUnsupportedMediaType},
		{"/ask", "", `{"prompt":"x"}`, http.StatusUnsupportedMediaType},
		{"/ask", media, `{"prompt":" \n"}`, http.StatusBadRequest},
		{"/ask", media, `{}`, http.StatusBadRequest},
		{"/ask", media, `prompt`, http.StatusBadRequest},
		{"/ask", media, `{"prompt":"` + strings.Repeat("x", 8<<10+1) + `"}`, http.StatusRequestEntityTooLarge},
		{"/ask", media, `{"prompt":"` + strings.Repeat("x", 64<<10) + `"}`, http.StatusRequestEntityTooLarge},
		{"/stop", "text/plain", `{"topic":"x"}`, http.StatusUnsupportedMediaType},
		{"/stop", media, `{"topic":"news"}`, http.StatusBadRequest},
		{"/stop", media, `{"topic":"chat.7"}`, http.StatusBadRequest},
		{"/stop", media, `{"topic":"jobs.7d1f7d1f-7d1f-4d1f-8d1f-7d1f7d1f7d1f"}`, http.StatusBadRequest},
	} {
		status, text := b.ask(http.MethodPost, row.path, row.media, row.body)
		if status != row.status || !strings.HasPrefix(text, `{"error":"`) {
			t.Errorf("%s %.60s: %d %s", row.path, row.body, status, text)
		}
	}
	n.Stop()
	if status, text := b.ask(http.MethodPost, "/ask", media, `{"prompt":"x"}`); status != http.StatusServiceUnavailable {
		t.Errorf("without a hub: %d %s", status, text)
	}
	if a := llm.Asked(); len(a) != 0 {
		t.Errorf("the model was asked %+v", a)
	}
}
