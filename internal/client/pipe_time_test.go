package client_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// pipeScript is a hub without a network: it answers each request with its own
// function. Behind the last one it takes all that it is sent.
type pipeScript struct {
	t       *testing.T
	answers []func(*http.Request) (*http.Response, error)
	times   []time.Time
	seqs    []string
	lines   []int // of each request that was read to its end
	open    int   // bodies that are not closed
}

// RoundTrip implements http.RoundTripper.
func (s *pipeScript) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.open > 0 {
		s.t.Error("a request begins before the body of the one before is closed")
	}
	n := len(s.times)
	s.times = append(s.times, time.Now())
	s.seqs = append(s.seqs, r.URL.Query().Get("seq"))
	s.open++
	defer func() {
		// A transport may close the body later than it answers.
		go func() {
			time.Sleep(time.Second)
			s.open--
			_ = r.Body.Close()
		}()
	}()
	if n < len(s.answers) {
		return s.answers[n](r)
	}
	return s.takeAll(r)
}

func (s *pipeScript) takeAll(r *http.Request) (*http.Response, error) {
	lines := 0
	for scan := bufio.NewScanner(r.Body); scan.Scan(); {
		lines++
	}
	s.lines = append(s.lines, lines)
	return answerTaken(http.StatusOK, lines), nil
}

func answerTaken(status, n int, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/problem+json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	body := `{"published":` + strconv.Itoa(n) + `,"last_id":"c"}`
	return response(status, h, io.NopCloser(strings.NewReader(body)))
}

func refuseConn(*http.Request) (*http.Response, error) { return nil, errRefused }

// hang reads the body and never answers.
func hang(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// piped runs Pipe with so many messages against a script, in false time.
func piped(t *testing.T, count int, o client.PipeOptions, answers ...func(*http.Request) (*http.Response, error)) (s *pipeScript, tally client.Tally, waits []time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s = &pipeScript{t: t, answers: answers}
		c, failure := client.New("http://hub.test", client.Options{Transport: s})
		if failure != nil {
			t.Fatal(failure)
		}
		messages := make(chan event.Message, count)
		for range count {
			messages <- text("t", "x")
		}
		close(messages)
		o.Progress = func(_ client.Tally, err error, wait time.Duration) {
			if err != nil {
				waits = append(waits, wait)
			}
		}
		tally, err = c.Pipe(t.Context(), messages, o)
		time.Sleep(2 * time.Second)
	})
	return s, tally, waits, err
}

func TestPipeBacksOff(t *testing.T) {
	t.Parallel()
	var answers []func(*http.Request) (*http.Response, error)
	for range 12 {
		answers = append(answers, refuseConn)
	}
	s, tally, waits, err := piped(t, 5, client.PipeOptions{}, answers...)
	if err != nil || tally.Accepted != 5 || len(waits) != 12 {
		t.Fatalf("%+v, %v, %v", tally, err, waits)
	}
	for i, wait := range waits {
		most := min(5*time.Second, 100*time.Millisecond<<i)
		if wait < most/2 || wait > most {
			t.Errorf("wait %d is %v, want half of %v to all of it", i, wait, most)
		}
	}
	if len(s.times) != 13 {
		t.Errorf("%d requests", len(s.times))
	}
}

func TestPipeHeedsAnswers(t *testing.T) {
	t.Parallel()
	later := func(r *http.Request) (*http.Response, error) {
		lines := bufio.NewReaderSize(r.Body, 16)
		for range 3 {
			_, _ = lines.ReadString('\n')
		}
		return answerTaken(http.StatusServiceUnavailable, 3, "Retry-After", "7"), nil // in the middle of the body
	}
	s, tally, waits, err := piped(t, 2500, client.PipeOptions{First: 10}, later, refuseConn)
	if err != nil || tally != (client.Tally{Accepted: 2500, LastID: "c"}) {
		t.Errorf("%+v, %v", tally, err)
	}
	if got := strings.Join(s.seqs, " "); got != "10 13 13 1013 2013" {
		t.Errorf("requests begin with %s", got)
	}
	if len(waits) != 2 || waits[0] != 7*time.Second || waits[1] > 200*time.Millisecond {
		t.Errorf("waits are %v", waits)
	}
}

func TestPipeLosesPatience(t *testing.T) {
	t.Parallel()
	var never []func(*http.Request) (*http.Response, error)
	for range 100 {
		never = append(never, hang)
	}
	for name, answers := range map[string][]func(*http.Request) (*http.Response, error){
		"hang": never, "refused": append(append(never[:0:0], refuseConn, refuseConn, refuseConn), never...)} {
		s, tally, _, err := piped(t, 5, client.PipeOptions{Patience: 20 * time.Second}, answers...)
		if err == nil || tally.Accepted != 0 || !client.Passing(err) {
			t.Errorf("%s: %+v, %v", name, tally, err)
		}
		if took := s.times[len(s.times)-1].Sub(s.times[0]); took > 21*time.Second {
			t.Errorf("%s: the last of %d attempts began after %v", name, len(s.times), took)
		}
	}
}

// Answers that no hub gives end the pipe: they will not get better.
func TestPipeDistrustsStrangers(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"no JSON": "<html>", "too many": `{"published":6}`, "nothing": `{}`, "negative": `{"published":-1,"duplicates":2}`} {
		_, tally, _, err := piped(t, 5, client.PipeOptions{}, func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			return response(http.StatusOK, nil, io.NopCloser(strings.NewReader(body))), nil
		})
		if err == nil || client.Passing(err) || tally.Accepted != 0 {
			t.Errorf("%s: %+v, %v", name, tally, err)
		}
	}
}

// A request ends by its age, so that slow messages are confirmed too; when ctx
// ends, a hub that does not answer is not awaited for long.
func TestPipeTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &pipeScript{t: t}
		c, err := client.New("http://hub.test", client.Options{Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		messages := make(chan event.Message)
		go func() {
			for range 20 {
				time.Sleep(300 * time.Millisecond)
				messages <- text("t", "x")
			}
			time.Sleep(time.Minute)
			s.answers = append(make([]func(*http.Request) (*http.Response, error), len(s.times)), hang)
			messages <- text("t", "x")
			cancel()
		}()
		tally, err := c.Pipe(ctx, messages, client.PipeOptions{})
		ended := time.Now()
		if !errors.Is(err, context.Canceled) || tally.Accepted != 20 {
			t.Errorf("%+v, %v", tally, err)
		}
		last := len(s.times) - 1
		if took := ended.Sub(s.times[last]); took > 10*time.Second {
			t.Errorf("it ended %v after its last request began", took)
		}
		for i, lines := range s.lines {
			if lines > 4 {
				t.Errorf("request %d has %d lines", i, lines)
			}
		}
		time.Sleep(2 * time.Second)
	})
}

// What a passing failure says speaks of no line: those of a request are not
// those of the caller.
func TestPipeTellsNoPlaceInARequest(t *testing.T) {
	t.Parallel()
	full := func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		h := http.Header{"Content-Type": {"application/problem+json"}}
		return response(http.StatusServiceUnavailable, h, io.NopCloser(strings.NewReader(`{"detail":"line 3: full","item":2}`))), nil
	}
	_, _, _, err := piped(t, 5, client.PipeOptions{Patience: time.Millisecond}, full)
	if _, ok := errors.AsType[*client.Error](err); !ok || !strings.HasSuffix(err.Error(), ": 503 Service Unavailable: full") {
		t.Errorf("the error is %v", err)
	}
}
