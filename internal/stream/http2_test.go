package stream_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/stream"
)

// A quiet stream over HTTP/2 outlives the time within which a slow client is cut.
func TestQuietOverHTTP2(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	h := hub.New(bus, hub.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	<-h.Ready()
	streams := stream.NewServer(h, stream.Options{KeepAlive: 2 * time.Second, Stall: 500 * time.Millisecond})
	why := make(chan error, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		streams.Serve(w, r, stream.Request{Request: hub.Request{Topics: []event.Topic{"news"}}}, func(s stream.Served) { why <- s.Err })
		panic(http.ErrAbortHandler)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	answer, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.ProtoMajor != 2 {
		t.Fatal(answer.Proto)
	}
	done := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, answer.Body); done <- err }()
	select {
	case err := <-done:
		t.Errorf("the stream broke while it was quiet: %v; %v", err, <-why)
	case <-time.After(1500 * time.Millisecond):
		answer.Body.Close()
		<-done
	}
	server.CloseClientConnections()
}
