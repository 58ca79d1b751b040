package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tickertape/internal/auth"
	"tickertape/internal/event"
)

const (
	// maxBody is the most bytes of a JSON body. A raw one is data alone.
	maxBody = 4 << 20
	// shortBody is the length up to which a body may have its room before it is there.
	shortBody = 4 << 10
	// busTime is how long the bus may take for a request.
	busTime = 5 * time.Second
)

// busContext bounds what the bus does for a request. It does not end when the
// client leaves, nor when it closes its half of the connection, as some do
// once they have asked: what was asked for in full is done.
func busContext(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.Request.Context()), busTime)
}

// receipt is the answer to one message.
type receipt struct {
	Topic     event.Topic `json:"topic"`
	ID        string      `json:"id,omitempty"` // none of a duplicate whose place is not known any more
	Duplicate bool        `json:"duplicate,omitempty"`
}

func newReceipt(r event.Receipt) receipt {
	answer := receipt{Topic: r.Topic, Duplicate: r.Duplicate}
	if r.Cursor != (event.Cursor{}) {
		answer.ID = r.Cursor.String()
	}
	return answer
}

type batchReceipt struct {
	Results []receipt `json:"results"`
}

// publish answers POST /publish.
func (s *Server) publish(c *gin.Context, caller *auth.Caller) {
	kind, err := bodyKindOf(c.Request.Header)
	if err == nil {
		err = caller.CheckAny(auth.Publish)
	}
	if kind == ndjsonStream || kind == sseStream {
		s.publishStream(c, caller, kind, err)
		return
	}
	var messages []event.Message
	var batch bool
	if err == nil {
		messages, batch, err = decode(c, kind == jsonBody)
	}
	if err == nil {
		err = s.mayPublishAll(caller, messages, batch)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := busContext(c)
	defer cancel()
	receipts, err := s.buy(ctx, s.purseOf(c, caller), bodyOf(c.Request.Header), messages)
	if err != nil {
		if item, ok := errors.AsType[*event.ItemError](err); ok && !batch {
			err = item.Err
		}
		s.failPublish(c, err)
		return
	}
	if !batch {
		c.JSON(http.StatusOK, newReceipt(receipts[0]))
		return
	}
	results := make([]receipt, len(receipts))
	for i, r := range receipts {
		results[i] = newReceipt(r)
	}
	c.JSON(http.StatusOK, batchReceipt{results})
}

// mayPublishAll says why the caller may not publish the messages; nil: it may.
func (s *Server) mayPublishAll(caller *auth.Caller, messages []event.Message, batch bool) error {
	for i, m := range messages {
		if err := s.mayPublish(caller, m); err != nil && batch {
			return &event.ItemError{Index: i, Err: err}
		} else if err != nil {
			return err
		}
	}
	return nil
}

// mayPublish says why the caller may not publish the message; nil: it may.
func (s *Server) mayPublish(caller *auth.Caller, m event.Message) error {
	if most := s.door.limits.Message; len(m.Data.Text) > most {
		return sizeError(most)
	}
	return caller.Check(auth.Publish, m.Topic)
}

// sizeError says that a message's data is over this hub's limit, in bytes.
type sizeError int

func (e sizeError) Error() string {
	return fmt.Sprintf("data is over this hub's limit of %d bytes", int(e))
}

// Is makes it an event.ErrTooLarge.
func (e sizeError) Is(target error) bool { return target == event.ErrTooLarge }

// decode reads the request's messages and reports whether they are a batch.
func decode(c *gin.Context, isJSON bool) (messages []event.Message, batch bool, err error) {
	d, numbers, err := defaultsOf(c)
	if err != nil {
		return nil, false, err
	}
	limit, tooLarge := int64(maxBody), errBodySize
	if !isJSON {
		limit, tooLarge = event.MaxData, event.ErrTooLarge
	} else if d.End != "" {
		return nil, false, errEndInQuery
	}
	body, err := readBody(c, limit, tooLarge)
	if err != nil {
		return nil, false, err
	}
	if isJSON && event.IsArray(body) {
		if d.IdempotencyKey != "" {
			return nil, true, invalid("Idempotency-Key", "is for single messages; give each message of a batch its own idempotency_key")
		}
		messages, err := event.DecodeBatch(body, d)
		if err != nil {
			return nil, true, err
		}
		return messages, true, numbers.number(messages)
	}
	m, err := decodeOne(body, d, isJSON)
	if err != nil {
		return nil, false, err
	}
	messages = []event.Message{m}
	return messages, false, numbers.number(messages)
}

// defaultsOf reads what the query and the header say of a body's messages.
func defaultsOf(c *gin.Context) (event.Defaults, sequence, error) {
	query, err := parseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return event.Defaults{}, sequence{}, err
	}
	if err := onlyOnce(query, c.Request.Header); err != nil {
		return event.Defaults{}, sequence{}, err
	}
	d := event.Defaults{Topic: query.Get("topic"), Name: query.Get("event"), Key: query.Get("key"), IdempotencyKey: c.GetHeader("Idempotency-Key")}
	if text := query.Get("lease"); text != "" {
		if d.Lease, err = event.ParseLease(text); err != nil {
			return d, sequence{}, err
		}
	}
	if d.End, err = endOf(query); err != nil {
		return d, sequence{}, err
	}
	numbers, err := parseSequence(query)
	return d, numbers, err
}

// endOf reads how a raw body ends its topic.
func endOf(query url.Values) (event.Status, error) {
	switch text := query.Get("end"); text {
	case "", "false":
		return "", nil
	case "true":
		return event.Completed, nil
	default:
		return event.ParseStatus(text)
	}
}

// queryNames are the parameters that a publish takes.
var queryNames = [...]string{"topic", "event", "key", "lease", "end", "producer", "seq"}

// onlyOnce refuses what would not count: a name misspelt or given twice must
// not end in a message elsewhere than meant, or in one stored twice.
func onlyOnce(query url.Values, h http.Header) error {
	for name, values := range query {
		switch {
		case !slices.Contains(queryNames[:], name):
			return invalid("query", "has an unknown parameter %.64q; topic, event, key, lease, end, producer and seq are known", name)
		case len(values) > 1:
			return invalid(name, "is given %d times in the query", len(values))
		}
	}
	if n := len(h.Values("Idempotency-Key")); n > 1 {
		return invalid("Idempotency-Key", "is given %d times", n)
	}
	return nil
}

func decodeOne(body []byte, d event.Defaults, isJSON bool) (event.Message, error) {
	if isJSON {
		return event.DecodeMessage(body, d)
	}
	if start := bytes.TrimLeft(body, " \t\r\n"); d.Topic == "" && len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		return event.Message{}, hinted{invalid("topic", "is missing: a raw body is the data itself, its topic stands in the query"),
			"use -H 'Content-Type: application/json'"}
	}
	if d.Topic == "" {
		return event.Message{}, hinted{invalid("topic", "is missing"), "POST /publish?topic=news"}
	}
	return event.RawMessage(body, d)
}

func readBody(c *gin.Context, limit int64, tooLarge error) ([]byte, error) {
	body, err := readAll(c, limit)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	if err != nil {
		return nil, bodyError(err)
	}
	if reusable(c.Request) {
		c.Writer.Header().Del("Connection") // see boundBody
	}
	return body, nil
}

// readAll reads a body to its end, a short one straight into room for just that.
// What is said to be longer gets its room as it comes.
func readAll(c *gin.Context, limit int64) ([]byte, error) {
	if length := c.Request.ContentLength; 0 <= length && length <= min(limit, shortBody) {
		body := make([]byte, length)
		_, err := io.ReadFull(c.Request.Body, body)
		return body, err
	}
	return io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, limit))
}

// parseQuery reads a query strictly: a part that cannot be decoded is an
// error, not left out.
func parseQuery(raw string) (url.Values, error) {
	if len(raw) > maxQuery {
		return nil, invalid("query", "is %d bytes long; at most %d are allowed", len(raw), maxQuery)
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalid("query", "cannot be decoded: %v", err)
	}
	return query, nil
}

// mayWrite reports whether no page of a foreign origin makes the request. A browser
// sends such posts without asking first.
func (s *Server) mayWrite(r *http.Request, caller *auth.Caller) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || s.isNamed(origin) || isOwn(origin, r.Host) && (caller != nil && caller.Named() || !rebindable(origin))
}

// rebindable reports whether DNS says which machine an origin is. A foreign page
// can have its own name point to this machine, and is "same origin" then. What it
// cannot do is to have a credential for the hub.
func rebindable(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return true
	}
	name := u.Hostname()
	_, err = netip.ParseAddr(name)
	return err != nil && name != "localhost" && !strings.HasSuffix(name, ".localhost")
}
