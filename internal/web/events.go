package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"tickertape/internal/auth"
	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/stream"
)

const maxQuery = 7 << 10

// events answers GET /events. What is wrong with the request itself is a 4xx;
// everything that may pass is left to the stream, whose status is 200.
func (s *Server) events(c *gin.Context) {
	from := s.door.client(c.Request)
	seat, err := s.door.admit(from.network)
	var q stream.Request
	var caller *auth.Caller
	if err == nil {
		q, caller, err = s.wanted(c.Request, &seat)
	}
	switch away, ok := errors.AsType[*limitError](err); {
	case ok:
		s.limited.count(err)
		q.Away, q.Retry = away.away, away.wait
	case errors.Is(err, auth.ErrNoKeys):
		q.Away = stream.ErrUnknown
	case err != nil:
		seat.leave()
		s.fail(c, err)
		return
	}
	if q.Away == nil && s.hub.Over(q.Request) {
		seat.leave()
		c.Status(http.StatusNoContent) // on which an EventSource does not come back
		return
	}
	if s.streams.Serve(streamWriter{c.Writer, unwrap(c.Writer)}, c.Request, q, s.ender(from, q, caller, seat)) {
		panic(http.ErrAbortHandler) // see stream.Server.Serve; net/http's own way to abort a response
	}
}

// wanted reads what a stream asks for, of somebody who may read all of that, and as
// long as it may.
func (s *Server) wanted(r *http.Request, at *seat) (stream.Request, *auth.Caller, error) {
	q, err := s.streamRequest(r)
	if err != nil {
		return q, nil, err
	}
	caller, err := s.caller(r)
	if err != nil {
		return q, nil, err
	}
	for _, t := range q.Topics {
		if err := caller.Check(auth.Subscribe, t); err != nil {
			return q, nil, err
		}
	}
	for _, selector := range q.Selectors {
		if err := caller.CheckAll(auth.Subscribe, selector); err != nil {
			return q, nil, err
		}
	}
	q.Expires = caller.Expires
	return q, caller, at.of(caller.Subject)
}

// namedTopics is how many of a stream's topics and selectors its line in the log names.
const namedTopics = 3

// ender returns what is done when a stream has ended. It gives the seat back, and
// writes the one line that a stream leaves in the log: of one
// that was served what its client got, of one that was sent away only now and then
// that this happens. It names no cursor and no query: that may hold a token. Of the
// request it keeps no more than it needs: the stream may outlive that by hours.
func (s *Server) ender(from client, q stream.Request, caller *auth.Caller, at seat) func(stream.Served) {
	topics, first, name := len(q.Topics)+len(q.Selectors), firstTopics(q), s.nameOf(caller)
	return func(served stream.Served) {
		at.leave()
		if errors.Is(served.Err, stream.ErrFault) {
			s.caught("/events", served.Err)
		}
		if !served.Begun {
			s.logAway(served.Reason, from.remote)
			return
		}
		attributes := []slog.Attr{slog.String("stream", uuid.NewString()), slog.String("remote", from.remote),
			slog.Int("topics", topics), slog.Any("first_topics", first),
			slog.Bool("resumed", served.Resumed), slog.String("lasted", served.Time.Round(time.Millisecond).String()),
			slog.Uint64("events", served.Events), slog.Uint64("bytes", served.Bytes), slog.Uint64("gaps", served.Gaps),
			slog.String("reason", served.Reason)}
		if name != "" {
			attributes = append(attributes, slog.String("caller", name))
		}
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "stream ended", attributes...)
	}
}

// logAway says now and then that streams are sent away.
func (s *Server) logAway(reason, remote string) {
	if reason == stream.Draining {
		return // so it is meant
	}
	more, ok := s.crowd.worthy(time.Now())
	if !ok {
		return
	}
	attributes := []any{slog.String("reason", reason), slog.Int("others", more)}
	if reason == stream.Address {
		attributes = append(attributes, slog.String("remote", remote), slog.String("hint", "if that is a proxy, name it by --trusted-proxies"))
	}
	s.log.Warn("streams are sent away", attributes...)
}

// firstTopics returns some of what a stream listens to.
func firstTopics(q stream.Request) (names []string) {
	for _, s := range q.Selectors[:min(namedTopics, len(q.Selectors))] {
		names = append(names, s.String())
	}
	for _, t := range q.Topics[:min(namedTopics-len(names), len(q.Topics))] {
		names = append(names, string(t))
	}
	return names
}

// streamWriter writes through Gin's writer, which would else begin an answer of
// its own behind a stream that comes to its end. Flushing goes past it: there
// it hides errors.
type streamWriter struct {
	http.ResponseWriter
	behind http.ResponseWriter
}

// Unwrap is for http.ResponseController.
func (w streamWriter) Unwrap() http.ResponseWriter { return w.behind }

func unwrap(w http.ResponseWriter) http.ResponseWriter {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return w
}

// streamRequest reads what a stream asks for.
func (s *Server) streamRequest(r *http.Request) (stream.Request, error) {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return stream.Request{}, err
	}
	var q stream.Request
	if q.Topics, q.Selectors, err = topicsOf(query, s.door.limits.Topics); err != nil {
		return stream.Request{}, err
	}
	if q.From, err = startOf(query); err != nil {
		return stream.Request{}, err
	}
	if cursor := cursorOf(r.Header, query); cursor != "" {
		q.From = hub.Start{Cursor: strings.Clone(cursor)}
	}
	envelope, err := flag(query, "envelope", "true")
	if err != nil {
		return stream.Request{}, err
	}
	if envelope {
		q.Form = hub.Envelope
	}
	q.Heartbeat, err = flag(query, "heartbeat", "event")
	return q, err
}

// topicsOf reads what to listen to: topics, and selectors of topics, which have
// a *. They do not hold on to the query, which may be long.
func topicsOf(query url.Values, most int) (topics []event.Topic, selectors []event.Selector, err error) {
	seen := map[string]bool{}
	for _, name := range query["topic"] {
		if seen[name] {
			continue
		}
		seen[name] = true
		name = strings.Clone(name)
		if strings.Contains(name, "*") {
			selector, err := event.ParseSelector(name)
			if err != nil {
				return nil, nil, err
			}
			selectors = append(selectors, selector)
			continue
		}
		topic, err := event.ParseTopic(name)
		if err != nil {
			return nil, nil, err
		}
		topics = append(topics, topic)
	}
	switch {
	case len(seen) == 0:
		return nil, nil, hinted{invalid("topic", "is missing"), "GET /events?topic=news"}
	case len(seen) > most:
		return nil, nil, fmt.Errorf("%w: %w", errTopics, invalid("topic", "is given %d times; one stream takes at most %d topics and selectors", len(seen), most))
	}
	return topics, selectors, nil
}

// cursorOf returns the client's cursor. The header wins: a browser that
// reconnects sends its newest cursor there, while the query still holds the
// one that the page began with.
func cursorOf(h http.Header, query url.Values) string {
	if id := h.Get("Last-Event-ID"); id != "" {
		return id
	}
	for _, name := range [...]string{"last_event_id", "lastEventId", "lastEventID"} {
		if id := query.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// startOf reads since and last.
func startOf(query url.Values) (hub.Start, error) {
	since, last := query.Get("since"), query.Get("last")
	switch {
	case since != "" && last != "":
		return hub.Start{}, invalid("since", "and last exclude each other")
	case since == "all":
		return hub.Start{All: true}, nil
	case since != "":
		d, err := time.ParseDuration(since)
		if err != nil || d <= 0 {
			return hub.Start{}, invalid("since", "is %q; use all, or a duration like 90s, 10m, 24h", since)
		}
		return hub.Start{Since: d}, nil
	case last != "":
		n, err := number("last", last, event.MaxLast)
		return hub.Start{Last: n}, err
	}
	return hub.Start{}, nil
}

// number reads a parameter between 1 and limit.
func number(name, text string, limit int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > limit {
		return 0, invalid(name, "is %q; use a number from 1 to %d", text, limit)
	}
	return n, nil
}

// flag reads a parameter that has one value besides none and false.
func flag(query url.Values, name, value string) (bool, error) {
	switch got := query.Get(name); got {
	case value:
		return true, nil
	case "", "false":
		return false, nil
	default:
		return false, invalid(name, "is %q; use %s=%s, or leave it out", got, name, value)
	}
}
