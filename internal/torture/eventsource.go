package torture

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"tickertape/internal/sse"
)

// eventSource reads streams as a browser does: whenever one ends it comes back
// with the last id, each time to the next hub, until it is answered 204.
type eventSource struct {
	client *http.Client
	hubs   []*Hub
	turn   int    // counts streams
	query  string // of /events
	last   string // id
	ended  bool   // it was told of an end
	take   func(sse.Event)
	odd    func(format string, args ...any) // is told what no hub may do
}

// run returns when the stream is over for good, or ctx is. It calls take and
// odd.
func (s *eventSource) run(ctx context.Context) {
	for ctx.Err() == nil && s.visit(ctx) {
		pause(ctx, 100*time.Millisecond)
		s.turn++
	}
}

// visit reads one stream, and reports whether there is to be another one.
func (s *eventSource) visit(ctx context.Context) bool {
	hub := s.hubs[s.turn%len(s.hubs)]
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+hub.Addr+"/events?"+s.query, nil)
	if err != nil {
		s.odd("no request: %v", err)
		return false
	}
	request.Header.Set("Last-Event-ID", s.last)
	response, err := s.client.Do(request)
	if err != nil {
		return true // the hub is away
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
		s.read(response.Body)
		return true
	case http.StatusNoContent:
		return false
	}
	s.odd("%s answered %s, and a browser does not come back", hub.name, response.Status)
	return true
}

func (s *eventSource) read(body io.Reader) {
	for events, open := sse.NewDecoder(body, 1<<20), false; ; open = true {
		e, err := events.Next()
		if err != nil {
			if errors.Is(err, io.EOF) && open && !s.ended {
				s.odd("a stream ended as if it were whole")
			}
			return
		}
		if e.ID != "" {
			s.last = e.ID
		}
		s.ended = s.ended || e.Name == "hub.end"
		s.take(e)
	}
}
