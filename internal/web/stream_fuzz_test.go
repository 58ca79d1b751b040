package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	second "github.com/tmaxmax/go-sse"

	"tickertape/internal/event"
	"tickertape/internal/membus"
)

// FuzzNDJSON: a body is published line by line up to the first bad one,
// however it arrives.
func FuzzNDJSON(f *testing.F) {
	for _, body := range []string{lines(0, 300), "{\"data\":1}\r\n\r\n{\"data\":2}", "\ufeff{\"data\":1}\n", "{\"data\":1}\nx\n{\"data\":2}\n",
		"", "\n", "[1]", "{\"data\":\"\xff\"}\n", "{\"data\":1,\"idempotency_key\":\"k\"}\n{\"data\":2,\"idempotency_key\":\"k\"}\n", "{\"topic\":\"hub\",\"data\":1}"} {
		f.Add([]byte(body), uint8(3))
	}
	bus := &freshBus{}
	log := &faults{}
	handler := idleServer(f, bus, slog.New(log))
	f.Fuzz(func(t *testing.T, body []byte, step uint8) {
		bus.Bus = membus.New(membus.Options{})
		var good []string
		for i, line := range bytes.Split(body, []byte("\n")) {
			if i == 0 {
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			if len(bytes.Trim(line, " \t\r\n")) == 0 {
				continue
			}
			m, err := event.DecodeMessage(line, event.Defaults{Topic: "t"})
			if err != nil {
				break
			}
			good = append(good, fmt.Sprint(m.Topic, m.Name, m.Key, m.Data))
		}
		reused := bytes.Contains(body, []byte("_key")) // then the bus may skip or refuse some
		checkStreamed(t, handler, bus, ndjsonType, body, step, func(stored []event.Event, status int) {
			if reused {
				return
			}
			if len(stored) != len(good) || (status == http.StatusOK) != (len(good) == countLines(body)) {
				t.Fatalf("answered %d, stored %d of %d good lines", status, len(stored), len(good))
			}
			sort := slices.Clone(good)
			slices.Sort(sort)
			var got []string
			for _, e := range stored {
				got = append(got, fmt.Sprint(e.Topic, e.Name, e.Key, e.Data))
			}
			slices.Sort(got)
			if !slices.Equal(got, sort) {
				t.Fatalf("stored %q, want %q", got, sort)
			}
		})
		if len(log.all) > 0 {
			t.Fatalf("logged %q", log.all)
		}
	})
}

func countLines(body []byte) (n int) {
	for _, line := range bytes.Split(bytes.TrimPrefix(body, []byte("\ufeff")), []byte("\n")) {
		if len(bytes.Trim(line, " \t\r\n")) > 0 {
			n++
		}
	}
	return n
}

// checkStreamed sends a body in steps, and checks that the answer fits what is
// stored then.
func checkStreamed(t *testing.T, handler http.Handler, bus reader, media string, body []byte, step uint8, check func([]event.Event, int)) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/publish?topic=t", &steps{body, int(step)%64 + 1})
	r.Header.Set("Content-Type", media)
	a := serve(handler, r)
	stored := storedIn(t, bus)
	var got problem
	if err := json.Unmarshal(a.body, &got); err != nil || got.Published == nil || *got.Published != len(stored) {
		t.Fatalf("%d are stored, answered %s (%v)", len(stored), a.body, err)
	}
	if a.status != http.StatusOK {
		if a.status < 400 || a.status > 499 {
			t.Fatalf("answered %d", a.status)
		}
		expectProblem(t, a, a.status)
	}
	check(stored, a.status)
}

// steps is a body that arrives in pieces.
type steps struct {
	rest []byte
	size int
}

func (s *steps) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.size)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// FuzzSSEIn: whatever a stream says, the answer counts what is stored, in
// order, and no name is one that browsers or hubs give a meaning of their own.
func FuzzSSEIn(f *testing.F) {
	for _, body := range []string{"data: 1\n\nevent: error\ndata: 2\r\n\r\n", "data: [DONE]\n\ndata: 1\n\n", "\ufeffid: 1\rdata: x\r\r",
		"event: hub.open\ndata: 1\n\nevent: hub\ndata\n\n", "event: response.failed\ndata: 1\n\n", "data: \xff\n\n", "event: a\tb\ndata: 1\n\n", ": c\n", "event: \ndata: 1\n\n"} {
		f.Add([]byte(body), uint8(3))
	}
	bus := &freshBus{}
	log := &faults{}
	handler := idleServer(f, bus, slog.New(log))
	f.Fuzz(func(t *testing.T, body []byte, step uint8) {
		bus.Bus = membus.New(membus.Options{})
		checkStreamed(t, handler, bus, sseType, body, step, func(stored []event.Event, _ int) {
			var want []string
			for e, err := range second.Read(bytes.NewReader(body), &second.ReadConfig{MaxEventSize: 1 << 20}) {
				if err != nil {
					break
				}
				want = append(want, e.Data)
			}
			for _, e := range stored {
				i := slices.Index(want, e.Data.Text)
				if e.Name == "error" || e.Name == "open" || strings.HasPrefix(e.Name, "hub") && e.Name != "hub" && e.Name[3] == '.' || i < 0 && !bytes.ContainsAny(body, "\x00") {
					t.Fatalf("stored %+v, of %q", e, want)
				}
				want = want[max(i, 0):]
			}
		})
		if len(log.all) > 0 {
			t.Fatalf("logged %q", log.all)
		}
	})
}
