package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/watchdog"
)

// ListenOptions say what to listen to and where to begin. Of Cursor, All,
// Since and Last the first one that is set counts; if none is, the stream
// begins with what is published from now on.
type ListenOptions struct {
	Topics []string
	Cursor string        // go on behind this one, which an Event or Listen gave
	All    bool          // all that the hub still has
	Since  time.Duration // all of so long ago
	Last   int           // the newest so many of each topic
}

// Handler is told what a stream brings, by one goroutine, in the stream's
// order. Fields may be nil. While a call lasts nothing more is read; a hub cuts
// a client that reads nothing for 30 s, and what it missed comes then.
//
// An error ends the stream. What it was returned for counts as not seen: the
// cursor stays before it.
type Handler struct {
	Event func(Event) error
	Gap   func(Gap) error
	End   func(End) error
	State func(State)
}

// Event is an event of a topic.
type Event struct {
	event.Envelope
	// Cursor is what has been seen once this event is: the place to go on
	// from, for all the stream's topics. It can differ from the envelope's
	// ID, which knows of its own topic only.
	Cursor string
}

// Gap says that events of a topic are gone for good.
type Gap struct {
	Topic     event.Topic  `json:"topic"`
	Reason    event.Reason `json:"reason"`
	After     string       `json:"after"`      // the cursor behind which something is missing; may be empty
	ResumedAt string       `json:"resumed_at"` // the cursor from which on the topic is complete again
}

// End says that a topic has ended: nothing comes of it any more.
type End struct {
	Topic  event.Topic  `json:"topic"`
	Status event.Status `json:"status"`
	Cursor string       `json:"-"` // as an Event's
}

// State is a change of the connection.
type State struct {
	Connected bool
	Resumed   bool // when connected: the stream goes on from a cursor

	Err  error         // when not connected: why
	Wait time.Duration // when not connected: until the next attempt
}

// Listen hands on what the topics bring, each event once and in order, until
// ctx ends, the handler returns an error, the hub refuses the request (an
// *Error), answers with something that is no stream of events in the hub's
// form, or has nothing more to say for good, since all topics have ended (then
// the error is nil). A credential that has expired is no refusal if there is
// another one by then.
//
// Whatever else happens (the hub away, overloaded, restarted, the connection
// broken or silent) is passed over: Listen waits as long as the stream asked
// for, longer with every attempt that fails, and goes on behind the last thing
// that the handler took. The handler's State is told.
//
// Listen returns the cursor from which another call goes on: of the last thing
// that the handler took, or of where the stream began. It is empty if there
// was no connection yet.
func (c *Client) Listen(ctx context.Context, o ListenOptions, h Handler) (string, error) {
	if i := strings.IndexFunc(o.Cursor, notInCursor); i >= 0 {
		return "", invalid("cursor", "%q has a character at byte %d that no cursor has", o.Cursor, i)
	}
	l := &listener{client: c, bearer: bearer{ask: c.credential}, url: c.events + "?" + o.query().Encode(), handler: h, cursor: o.Cursor, retry: defaultRetry,
		open: map[event.Topic]struct{}{}}
	for _, t := range o.Topics {
		l.open[event.Topic(t)] = struct{}{}
	}
	err := l.run(ctx)
	return l.cursor, err
}

func (o ListenOptions) query() url.Values {
	query := url.Values{"topic": o.Topics, "envelope": {"true"}}
	switch {
	case o.Cursor != "":
	case o.All:
		query.Set("since", "all")
	case o.Since != 0:
		query.Set("since", o.Since.String())
	case o.Last != 0:
		query.Set("last", strconv.Itoa(o.Last))
	}
	return query
}

const (
	defaultRetry = 3 * time.Second
	minRetry     = 20 * time.Millisecond // whatever a stream asks for
	maxWait      = 30 * time.Second      // unless a hub asks for more
	maxAsked     = 5 * time.Minute       // whatever a hub asks for
)

// listener is one call of Listen.
type listener struct {
	client  *Client
	bearer  bearer
	url     string
	handler Handler

	cursor   string
	retry    time.Duration            // what a stream asked for last
	failures int                      // attempts in a row that opened no stream
	open     map[event.Topic]struct{} // topics, and selectors, of which more may come
}

func (l *listener) run(ctx context.Context) error {
	for {
		again, err := l.attempt(ctx)
		if !again {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := l.wait(err)
		l.tell(State{Err: err, Wait: wait})
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// attempt makes one connection, reads what it brings and tells why it ended,
// and whether another one may do better.
func (l *listener) attempt(ctx context.Context) (again bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := l.client.silence
	silence := watchdog.New(limit, cancel, fmt.Errorf("nothing came for %v: the connection is dead", limit))
	defer silence.Stop()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Cache-Control", "no-store")
	if l.cursor != "" {
		request.Header.Set("Last-Event-ID", l.cursor)
	}
	if err := l.bearer.authorize(request); err != nil {
		return false, err
	}
	l.failures++
	silence.Start()
	response, err := l.client.http.Do(request)
	if err != nil {
		return true, orCause(ctx, withoutURL(err))
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNoContent:
		return false, nil
	case response.StatusCode != http.StatusOK:
		err := answerError(response)
		if Passing(err) {
			return true, err
		}
		return l.bearer.renew(err)
	}
	if media := response.Header.Get("Content-Type"); !isEventStream(media) {
		// It may be a proxy that stands in for the hub meanwhile.
		return true, fmt.Errorf("%w: its Content-Type is %q", errNotHub, media)
	}
	return l.read(ctx, silence.Guard(response.Body))
}

// wait returns how long to wait before the next attempt: never less than the
// hub asked for. The hub draws each stream's own time, so a first one needs no
// more chance; those after failed attempts are drawn from a growing range.
func (l *listener) wait(err error) time.Duration {
	wait := max(minRetry, l.retry)
	if l.failures > 0 {
		most := max(wait, min(maxWait, wait<<min(l.failures, 10)))
		wait += rand.N(most - wait + 1)
	}
	return min(maxAsked, max(wait, retryAfter(err)))
}

func (l *listener) tell(s State) {
	if l.handler.State != nil {
		l.handler.State(s)
	}
}
