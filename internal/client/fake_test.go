package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/client"
)

// script is a hub without a network, for tests in which time is not real: it
// answers one request after the other, each with its own function.
type script struct {
	answers []answer
	cursors []string // the Last-Event-ID of each request
	times   []time.Time
}

// RoundTrip implements http.RoundTripper.
func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	n := len(s.times)
	s.times = append(s.times, time.Now())
	s.cursors = append(s.cursors, r.Header.Get("Last-Event-ID"))
	if n >= len(s.answers) {
		return response(http.StatusNoContent, nil, http.NoBody), nil
	}
	body, w := io.Pipe()
	context.AfterFunc(r.Context(), func() { _ = body.CloseWithError(r.Context().Err()) })
	status, header := s.answers[n](r, w)
	if status == 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if status < 0 {
		return nil, errRefused
	}
	return response(status, header, body), nil
}

var errRefused = errors.New("connection refused")

func response(status int, header http.Header, body io.ReadCloser) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: body, ProtoMajor: 1, ProtoMinor: 1}
}

// answer returns what a request is answered with; the body is what is written
// to w.
type answer func(r *http.Request, w *io.PipeWriter) (status int, header http.Header)

// pieces answers with a stream of texts, each after a pause, and then ends it;
// or lets it hang, if the last piece is "hang".
func pieces(pause time.Duration, texts ...string) answer {
	return func(_ *http.Request, w *io.PipeWriter) (int, http.Header) {
		go func() {
			for _, text := range texts {
				if text == "hang" {
					return
				}
				time.Sleep(pause)
				if _, err := io.WriteString(w, text); err != nil {
					return
				}
			}
			_ = w.Close()
		}()
		return http.StatusOK, http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}}
	}
}

// status answers with a status and no stream; 0 never answers, -1 refuses the
// connection.
func status(code int, header ...string) answer {
	return func(_ *http.Request, w *io.PipeWriter) (int, http.Header) {
		_ = w.Close()
		h := http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return code, h
	}
}

const (
	open1  = "retry: 2000\nid: c1\nevent: hub.open\ndata: {\"resumed\":false}\n\n"
	event2 = "id: c2\ndata: {\"topic\":\"news\",\"id\":\"e2\",\"time\":\"2026-01-02T03:04:05.678Z\",\"event\":\"message\",\"data\":\"two\"}\n\n"
	event3 = "id: c3\ndata: {\"topic\":\"news\",\"id\":\"e3\",\"time\":\"2026-01-02T03:04:05.678Z\",\"event\":\"message\",\"data\":null}\n\n"
)

// played is what became of a Listen against a script.
type played struct {
	*script
	states []client.State
	events []client.Event
	ends   []client.End
	cursor string
	err    error
}

// waits returns the pauses that were told before new attempts.
func (p *played) waits() (waits []time.Duration) {
	for _, s := range p.states {
		if !s.Connected {
			waits = append(waits, s.Wait)
		}
	}
	return waits
}

// play runs Listen against a script until it ends by itself, in false time.
func play(t *testing.T, onEvent func(client.Event) error, answers ...answer) *played {
	t.Helper()
	p := &played{script: &script{answers: answers}}
	synctest.Test(t, func(t *testing.T) {
		c, err := client.New("http://hub.test/prefix", client.Options{Transport: p.script})
		if err != nil {
			t.Fatal(err)
		}
		p.cursor, p.err = c.Listen(t.Context(), client.ListenOptions{Topics: []string{"news"}}, client.Handler{
			State: func(s client.State) { p.states = append(p.states, s) },
			End:   func(e client.End) error { p.ends = append(p.ends, e); return nil },
			Event: func(e client.Event) error {
				p.events = append(p.events, e)
				if onEvent != nil {
					return onEvent(e)
				}
				return nil
			}})
	})
	return p
}
