package chat_test

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tickertape/internal/chat"
	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/fakellm"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/redistest"
)

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// scene is two nodes of one bus and a model's server, behind real sockets.
type scene struct {
	*testing.T
	llm  *fakellm.Server
	base string
	hubs [2]*client.Client
	bus  *membus.Bus
}

func newScene(t *testing.T, o fakellm.Options) *scene {
	t.Helper()
	s := &scene{T: t, llm: fakellm.New(o), bus: membus.New(membus.Options{})}
	server := httptest.NewServer(s.llm)
	t.Cleanup(server.Close)
	s.base = server.URL + "/v1"
	for i := range s.hubs {
		c, err := client.New(nodetest.Start(t, nodetest.Options{Over: s.bus}).URL, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		s.hubs[i] = c
	}
	return s
}

// chat returns one that publishes by the first node.
func (s *scene) chat(o chat.Options) *chat.Chat {
	s.Helper()
	if o.BaseURL == "" {
		o.BaseURL = s.base
	}
	c, err := chat.New(s.hubs[0], o)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(c.Close)
	return c
}

// heard returns all of a topic.
func (s *scene) heard(t event.Topic) (all []said) {
	s.Helper()
	clock, err := s.bus.Clock(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	page, err := s.bus.History(s.Context(), event.Range{Topic: t, Upto: clock.Position})
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range page.Events {
		all = append(all, said{Message: event.Message{Topic: e.Topic, Name: e.Name, Data: e.Data, End: e.End}})
	}
	return all
}

// ending returns the data of the message before the end, and the end's status.
func ending(all []said) (data string, status event.Status) {
	if len(all) < 2 {
		return "", ""
	}
	return all[len(all)-2].Name + " " + all[len(all)-2].Data.Text, all[len(all)-1].End
}

// Both interfaces give the whole text, also if characters are split, or the text
// is a refusal.
func TestWholeAnswer(t *testing.T) {
	t.Parallel()
	s := newScene(t, fakellm.Options{})
	want := s.llm.Answer(prompt)
	for api, usage := range map[chat.API]string{
		chat.Completions: `"usage":{"prompt_tokens":`, chat.Responses: `"usage":{"input_tokens":`,
	} {
		for _, model := range []string{"fake", "fake:split", "fake:refusal"} {
			topic := event.Topic("chat." + string(api) + "." + strings.ReplaceAll(model, ":", "-"))
			tally, err := s.chat(chat.Options{Model: model, API: api, Key: "secret"}).Answer(t.Context(), topic, prompt)
			all := s.heard(topic)
			data, status := ending(all)
			if err != nil || joined(all) != want || status != event.Completed || int(tally.Accepted) != len(all)-1 {
				t.Errorf("%s: %v, %+v, %q, ends %s", topic, err, tally, joined(all), status)
			}
			if !strings.HasPrefix(data, `done {"finish_reason":"stop",`+usage) || !strings.HasSuffix(data, `,"model":"`+model+`"}`) {
				t.Errorf("%s: %s", topic, data)
			}
		}
	}
	for _, a := range s.llm.Asked() {
		if a.Prompt != prompt || a.Key != "secret" {
			t.Errorf("asked %+v", a)
		}
	}
}

// Whatever the upstream does wrong, the topic ends as failed and says why. What
// came before stays.
func TestBadUpstreams(t *testing.T) {
	t.Parallel()
	for api := range map[chat.API]struct{}{chat.Completions: {}, chat.Responses: {}} {
		for fault, want := range map[fakellm.Fault]string{
			fakellm.Refused: "401 Unauthorized: Incorrect API key provided",
			fakellm.Busy:    "429 Too Many Requests: Rate limit reached",
			fakellm.Broken:  "500 Internal Server Error: The server had an error",
			"no-such":       "404 Not Found: there is no model",
			fakellm.Hang:    "sent nothing for 300ms",
			fakellm.Stall:   "sent nothing for 300ms",
			fakellm.Break:   "broke off",
			fakellm.Cut:     "the stream broke off before its end",
			fakellm.Half:    "the stream broke off before its end",
			fakellm.Fails:   "The engine is overloaded",
			fakellm.Huge:    "over 8 MiB",
			fakellm.Page:    "this is no stream",
		} {
			t.Run(string(api)+" "+string(fault), func(t *testing.T) {
				t.Parallel()
				s := newScene(t, fakellm.Options{})
				o := chat.Options{Model: "fake:" + string(fault), API: api}
				if strings.Contains(want, "300ms") {
					o.Stall = 300 * time.Millisecond
				}
				s.wantFailed(o, want)
				if fault == fakellm.Busy && len(s.llm.Asked()) < 2 {
					t.Error("what was too busy was not asked again")
				}
			})
		}
	}
}

// wantFailed checks that an answer fails for a reason.
func (s *scene) wantFailed(o chat.Options, want string) {
	s.Helper()
	_, err := s.chat(o).Answer(s.Context(), "chat.1", prompt)
	all := s.heard("chat.1")
	data, status := ending(all)
	failed, ok := errors.AsType[*chat.FailedError](err)
	if !ok || !strings.Contains(failed.Cause.Message, want) {
		s.Errorf("%v, want %q", err, want)
	}
	if status != event.Failed || !strings.HasPrefix(data, `failed {"error":{"message":"`) || !strings.Contains(data, want) {
		s.Errorf("ends %s with %s", status, data)
	}
	if got := strings.TrimRight(joined(all), "\ufffd"); !strings.HasPrefix(s.llm.Answer(prompt), got) {
		s.Errorf("published %q", got)
	}
}

func TestUpstreamIsNotThere(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	s := newScene(t, fakellm.Options{})
	s.wantFailed(chat.Options{Model: "fake", BaseURL: "http://" + listener.Addr().String() + "/v1"}, "cannot be reached: dial tcp")
}

// A key that the upstream repeats is not published.
func TestKeyIsNotPublished(t *testing.T) {
	t.Parallel()
	s := newScene(t, fakellm.Options{})
	const model = "fake:sk-secret"
	_, err := s.chat(chat.Options{Model: model, Key: "sk-secret"}).Answer(t.Context(), "chat.1", prompt)
	data, _ := ending(s.heard("chat.1"))
	if err == nil || strings.Contains(err.Error(), "sk-secret") || strings.Contains(data, "sk-secret") || !strings.Contains(data, "***") {
		t.Errorf("%v, %s", err, data)
	}
}

// Who cancels at another node stops the model, also one that has not said
// anything yet; and a topic that was cancelled before never asks it.
func TestCancelFromAnotherNode(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"fake", "fake:hang"} {
		s := newScene(t, fakellm.Options{Delay: 20 * time.Millisecond})
		c := s.chat(chat.Options{Model: model})
		answered := make(chan error, 1)
		go func() {
			_, err := c.Answer(context.WithoutCancel(t.Context()), "chat.1", prompt)
			answered <- err
		}()
		s.until(func() bool { return len(s.llm.Asked()) == 1 && (model == "fake:hang" || s.llm.Asked()[0].Tokens > 5) })
		s.until(func() bool { return len(s.heard("chat.1")) > 0 })
		if _, err := s.hubs[1].Cancel(t.Context(), "chat.1"); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-answered:
			if ended, ok := errors.AsType[*event.EndedError](err); !ok || ended.Status != event.Cancelled {
				t.Errorf("%s: %v", model, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s: it goes on", model)
		}
		s.until(func() bool { return s.llm.Asked()[0].Gone })
		if _, err := c.Answer(t.Context(), "chat.1", prompt); err == nil {
			t.Errorf("%s: an ended topic was answered", model)
		}
		if _, status := ending(s.heard("chat.1")); status != event.Cancelled {
			t.Errorf("%s: ends %s", model, status)
		}
	}
}

// Connections to the hub that break double and lose nothing.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	s := newScene(t, fakellm.Options{Delay: 5 * time.Millisecond})
	proxy := redistest.StartProxy(t, strings.TrimPrefix(nodetest.Start(t, nodetest.Options{Over: s.bus}).URL, "http://"))
	var err error
	if s.hubs[0], err = client.New("http://"+proxy.Addr, client.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.hubs[0].Close)
	failures := 0
	c := s.chat(chat.Options{Model: "fake", Coalesce: 10 * time.Millisecond, Progress: func(_ client.Tally, err error, _ time.Duration) {
		if err != nil {
			failures++
		}
	}})
	done, cut := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(cut)
		turn := time.NewTicker(70 * time.Millisecond)
		defer turn.Stop()
		for {
			select {
			case <-turn.C:
				proxy.Cut()
			case <-done:
				return
			}
		}
	}()
	_, err = c.Answer(t.Context(), "chat.1", prompt)
	close(done)
	<-cut
	if got := joined(s.heard("chat.1")); err != nil || got != s.llm.Answer(prompt) || failures == 0 {
		t.Errorf("%v, %d failures, %q", err, failures, got)
	}
}

func (s *scene) until(holds func() bool) {
	s.Helper()
	for limit := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			s.Fatal("it never came so far")
		}
	}
}
