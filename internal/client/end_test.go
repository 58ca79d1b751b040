package client_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// endAnswered is a hub that notes what it is asked, and gives one answer.
func endAnswered(t *testing.T, status int, answer string) (c *client.Client, asked *string) {
	t.Helper()
	asked = new(string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*asked = fmt.Sprintf("%s %s %s", r.Method, r.URL.EscapedPath(), strings.TrimSpace(string(body)))
		if status != http.StatusOK {
			w.Header().Set("Content-Type", "application/problem+json")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return newClient(t, server.URL, client.Options{}), asked
}

func TestEnd(t *testing.T) {
	t.Parallel()
	c, asked := endAnswered(t, http.StatusOK, `{"topic":"a","status":"failed","id":"1x"}`)
	got, err := c.End(t.Context(), "a", event.Failed)
	if err != nil || got != (client.Ending{Topic: "a", Status: event.Failed, ID: "1x"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if *asked != `POST /topics/a/end {"status":"failed"}` {
		t.Errorf("asked %s", *asked)
	}
	if _, err := c.Cancel(t.Context(), "b"); err == nil {
		t.Error("an answer about another topic was taken")
	}
	if _, err := c.Cancel(t.Context(), "a"); err != nil || *asked != `POST /topics/a/cancel ` {
		t.Errorf("%v, asked %s", err, *asked)
	}
}

// What says that a topic has ended is known as that, whatever was asked.
func TestEndedTopicIsTold(t *testing.T) {
	t.Parallel()
	c, _ := endAnswered(t, http.StatusConflict, `{"detail":"topic \"b\" has ended: cancelled","topic_status":"cancelled","item":1}`)
	want := event.EndedError{Topic: "b", Status: event.Cancelled}
	for name, ask := range map[string]func() error{
		"publish": func() error { _, err := c.Publish(t.Context(), text("b", "x")); return err },
		"batch": func() error {
			_, err := c.PublishBatch(t.Context(), []event.Message{text("a", "x"), text("b", "x")})
			return err
		},
		"end":    func() error { _, err := c.End(t.Context(), "b", event.Completed); return err },
		"cancel": func() error { _, err := c.Cancel(t.Context(), "b"); return err },
		"pipe": func() error {
			_, err := c.Pipe(t.Context(), numbers(t.Context(), "b", 2), client.PipeOptions{})
			return err
		},
	} {
		err := ask()
		ended, ok := errors.AsType[*event.EndedError](err)
		if !ok || *ended != want {
			t.Errorf("%s: %v is %+v", name, err, ended)
		}
		if e, ok := errors.AsType[*client.Error](err); !ok || !e.Refused() || client.Passing(err) {
			t.Errorf("%s: %v does not say that it was refused for good", name, err)
		}
	}
}

func TestPublishSendsEndsAndLeases(t *testing.T) {
	t.Parallel()
	c, asked := endAnswered(t, http.StatusOK, `{"topic":"a","id":"1x"}`)
	for _, test := range []struct {
		m    event.Message
		want string
	}{
		{event.Message{Topic: "a", Lease: 90 * time.Second, Data: event.Data{Text: ""}}, `{"topic":"a","data":"","lease":"1m30s"}`},
		{event.Message{Topic: "a", End: event.Failed, Data: event.Data{Text: "x"}}, `{"topic":"a","data":"x","end":"failed"}`},
		{event.Message{Topic: "a", End: event.Completed, EndOnly: true}, `{"topic":"a","end":"completed"}`},
		{event.Message{Topic: "a", Key: "k", Data: event.Data{Text: "null", JSON: true}}, `{"topic":"a","key":"k","data":null}`},
	} {
		if _, err := c.Publish(t.Context(), test.m); err != nil {
			t.Error(err)
		}
		body := strings.TrimPrefix(*asked, "POST /publish ")
		if body != test.want {
			t.Errorf("sent %s, want %s", body, test.want)
		}
		if _, err := event.DecodeMessage([]byte(body), event.Defaults{}); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// A request that is held open outlives its time, is answered at once when its
// topic is cancelled, and gives its place to the next one when there is more.
func TestPipeHoldsRequestOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cancelled := make(chan struct{})
		s := &pipeScript{t: t}
		s.answers = []func(*http.Request) (*http.Response, error){s.takeAll, func(r *http.Request) (*http.Response, error) {
			if _, err := bufio.NewReaderSize(r.Body, 16).ReadString('\n'); err != nil {
				t.Errorf("the second request: %v", err)
			}
			<-cancelled
			h := http.Header{"Content-Type": {"application/problem+json"}}
			return response(http.StatusConflict, h, io.NopCloser(strings.NewReader(
				`{"detail":"it has ended","topic_status":"cancelled","item":1,"published":1}`))), nil
		}}
		c, err := client.New("http://hub.test", client.Options{Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		messages := make(chan event.Message)
		go func() {
			messages <- text("t", "x")
			time.Sleep(20 * time.Second) // one request is open meanwhile
			messages <- text("t", "x")
			time.Sleep(20 * time.Second)
			close(cancelled)
		}()
		begin := time.Now()
		tally, err := c.Pipe(t.Context(), messages, client.PipeOptions{Hold: true})
		ended, ok := errors.AsType[*event.EndedError](err)
		if !ok || *ended != (event.EndedError{Topic: "t", Status: event.Cancelled}) || tally.Accepted != 2 {
			t.Errorf("%+v, %v", tally, err)
		}
		if took := time.Since(begin); took > 42*time.Second {
			t.Errorf("the cancel was told after %v", took)
		}
		// The script closes a body a second after its answer.
		if len(s.times) != 2 || s.times[1].Sub(s.times[0]) != 21*time.Second || s.lines[0] != 1 {
			t.Errorf("requests at %v, lines %v", s.times, s.lines)
		}
		time.Sleep(2 * time.Second)
	})
}

// A stream that ends in order behind the ends of all its topics is over: nobody
// has to come back for a 204. Else it has only broken off.
func TestListenEndsWithItsTopics(t *testing.T) {
	t.Parallel()
	const end = "id: c4\nevent: hub.end\ndata: {\"topic\":\"news\",\"status\":\"failed\"}\n\n"
	p := play(t, nil, pieces(0, open1, event2, end))
	if p.err != nil || p.cursor != "c4" || len(p.events) != 1 || len(p.waits()) != 0 || len(p.times) != 1 {
		t.Errorf("%+v, %v, %d requests", p, p.err, len(p.times))
	}
	if len(p.ends) != 1 || p.ends[0] != (client.End{Topic: "news", Status: event.Failed, Cursor: "c4"}) {
		t.Errorf("ends %+v", p.ends)
	}
	other := strings.Replace(end, `"news"`, `"other"`, 1)
	if p := play(t, nil, pieces(0, open1, other)); len(p.waits()) != 1 {
		t.Errorf("waits %v behind the end of another topic", p.waits())
	}
}
