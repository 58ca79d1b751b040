package chat_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/chat"
	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/fakellm"
)

const prompt = "What is <b>ticker tape</b>?\n说说看"

// The first token is published at once, the others are joined; without coalescing
// each is a message. The text is the same.
func TestCoalesce(t *testing.T) {
	t.Parallel()
	for _, coalesce := range []time.Duration{0, 30 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			hub, model := newScribe(t), fakellm.New(fakellm.Options{Delay: 9 * time.Millisecond})
			c := newChat(t, hub, model, chat.Options{Model: "fake", Coalesce: coalesce})
			if _, err := c.Answer(t.Context(), "chat.1", prompt); err != nil {
				t.Fatal(err)
			}
			pieces := texts(hub.heard())
			if got := joined(hub.heard()); got != model.Answer(prompt) {
				t.Errorf("got %q", got)
			}
			if pieces[0].at != 9*time.Millisecond {
				t.Errorf("the first token came after %v", pieces[0].at)
			}
			tokens := model.Asked()[0].Tokens
			if coalesce == 0 && len(pieces) != tokens {
				t.Errorf("%d messages for %d tokens", len(pieces), tokens)
			}
			if want := tokens * 9 / 36; coalesce > 0 && (len(pieces) < want || len(pieces) > want*4/3) {
				t.Errorf("%d messages for %d tokens", len(pieces), tokens)
			}
			for i, p := range pieces[1:] {
				// The answer's end lets nothing wait.
				if p.at-pieces[i].at < coalesce && i+2 < len(pieces) {
					t.Errorf("message %d came %v behind the one before", i+1, p.at-pieces[i].at)
				}
			}
		})
	}
}

// While the model says nothing, signs of life renew the lease; in the end it is
// given up.
func TestStall(t *testing.T) {
	t.Parallel()
	for model, tokens := range map[string]int{"fake:hang": 0, "fake:stall": 1} {
		synctest.Test(t, func(t *testing.T) {
			hub, llm := newScribe(t), fakellm.New(fakellm.Options{})
			c := newChat(t, hub, llm, chat.Options{Model: model})
			_, err := c.Answer(t.Context(), "chat.1", prompt)
			heard := hub.heard()
			if failed, ok := errors.AsType[*chat.FailedError](err); !ok || failed.Cause.Message != "the model's server sent nothing for 1m0s" {
				t.Errorf("%s: %v", model, err)
			}
			if got := last(heard); got != `failed {"error":{"message":"the model's server sent nothing for 1m0s"}} failed` {
				t.Errorf("%s: ends with %s", model, got)
			}
			if heard[0].Name != "started" || heard[0].Lease != 30*time.Second || heard[0].Data.Text != `{"model":"`+model+`"}` {
				t.Errorf("%s: begins with %+v", model, heard[0])
			}
			for i, m := range heard[1:] {
				if m.at-heard[i].at > 10*time.Second {
					t.Errorf("%s: %v without a message", model, m.at-heard[i].at)
				}
			}
			if n := len(texts(heard)); n != tokens || len(heard) < tokens+7 {
				t.Errorf("%s: %d of %d messages are text", model, n, len(heard))
			}
			if at := heard[len(heard)-1].at; at != time.Minute {
				t.Errorf("%s: given up after %v", model, at)
			}
			synctest.Wait()
			if a := llm.Asked(); len(a) != 1 || !a[0].Gone {
				t.Errorf("%s: the model was asked %+v", model, a)
			}
		})
	}
}

// Somebody else's end stops the model at once, also while it says nothing.
func TestCancelStopsModel(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"fake", "fake:hang"} {
		synctest.Test(t, func(t *testing.T) {
			hub, llm := newScribe(t), fakellm.New(fakellm.Options{Delay: 100 * time.Millisecond})
			c := newChat(t, hub, llm, chat.Options{Model: model})
			begin := time.Now()
			time.AfterFunc(5050*time.Millisecond, func() { close(hub.end) })
			_, err := c.Answer(t.Context(), "chat.1", prompt)
			if ended, ok := errors.AsType[*event.EndedError](err); !ok || *ended != (event.EndedError{Topic: "chat.1", Status: event.Cancelled}) {
				t.Errorf("%s: %v", model, err)
			}
			if took := time.Since(begin); took != 5050*time.Millisecond {
				t.Errorf("%s: it took %v", model, took)
			}
			synctest.Wait()
			if a := llm.Asked(); len(a) != 1 || !a[0].Gone || a[0].Tokens > 50 {
				t.Errorf("%s: the model was asked %+v", model, a)
			}
		})
	}
}

// Whoever asked may give up: the topic says so, behind what came before.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub, llm := newScribe(t), fakellm.New(fakellm.Options{Delay: 100 * time.Millisecond})
		c := newChat(t, hub, llm, chat.Options{Model: "fake", Coalesce: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 5450*time.Millisecond)
		defer cancel()
		_, err := c.Answer(ctx, "chat.1", prompt)
		heard := hub.heard()
		if !errors.Is(err, context.DeadlineExceeded) || last(heard) != "  cancelled" || !heard[len(heard)-1].EndOnly {
			t.Errorf("%v, ends with %s", err, last(heard))
		}
		synctest.Wait()
		got, asked := joined(heard), llm.Asked()[0]
		if !strings.HasPrefix(llm.Answer(prompt), got) || got == "" || !asked.Gone || asked.Tokens != 54 {
			t.Errorf("published %q of %+v", got, asked)
		}
	})
}

// A hub that is away does not hold up who gives up.
func TestInterruptWithoutHub(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newScribe(t)
		hub.away = true
		c := newChat(t, hub, fakellm.New(fakellm.Options{}), chat.Options{Model: "fake"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		_, err := c.Answer(ctx, "chat.1", prompt)
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took > 75*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub, llm := newScribe(t), fakellm.New(fakellm.Options{})
		hub.away = true
		c := newChat(t, hub, llm, chat.Options{Model: "fake", Patience: 20 * time.Second})
		begin := time.Now()
		_, err := c.Answer(t.Context(), "chat.1", prompt)
		if took := time.Since(begin); !client.Passing(err) || took > 21*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		synctest.Wait()
		if a := llm.Asked(); len(a) != 1 || !a[0].Gone {
			t.Errorf("the model was asked %+v", a)
		}
	})
}

func TestNewRefusesWhatIsNoModel(t *testing.T) {
	t.Parallel()
	for _, o := range []chat.Options{{}, {Model: "m", BaseURL: "localhost:9090"}, {Model: "m", BaseURL: "ftp://x"}, {BaseURL: "http://x/v1"}} {
		if _, err := chat.New(nil, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
