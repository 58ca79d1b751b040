package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"tickertape/internal/auth"
	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// Problem is an error answer after RFC 9457.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`   // what to do about it
	Item   *int   `json:"item,omitempty"`   // which message of a batch or stream, from 0
	Stored string `json:"stored,omitempty"` // of a failed publish: "no" or "unknown", of a stream from the item on

	TopicStatus event.Status `json:"topic_status,omitempty"` // how the topic has ended that takes nothing any more
	*tally                   // of a stream: what was accepted before
}

// ProblemType is the media type of error answers.
const ProblemType = "application/problem+json"

// Errors of requests that no other package knows.
var (
	errEndInQuery = invalid("end", "stands in the query for a raw body alone; here each message says it for itself")
	errMediaType  = errors.New("this Content-Type is not one that can be published")
	errEncoding   = errors.New("a body with a Content-Encoding is not taken; send it as it is")
	errOrigin     = errors.New("this page's origin may not publish here; the hub's --publish-origins names those that may")
	errNoTopic    = errors.New("there is no such topic: nothing was published to it, or all of it has expired")
	errNoRoute    = errors.New("there is nothing at this path")
	errNoMethod   = errors.New("this path does not take that method")
	errEndSize    = fmt.Errorf("the body is over the limit of %d KiB", maxEndBody>>10)
	errBodySize   = fmt.Errorf("the body is over the limit of %d MiB", maxBody>>20)
	errShortBody  = errors.New("the body broke off before its end")
	errLineSize   = fmt.Errorf("the line is over the limit of %d MiB", maxLine>>20)
	errEventSize  = fmt.Errorf("the event is over the limit of %d MiB", maxLine>>20)
	errTopics     = errors.New("one stream takes no more topics and selectors")
	errFullReads  = errors.New("as many read topics as may at once")
	errFullIn     = errors.New("the node has as many streams to read as it may")
	errFullIntake = errors.New("the node has as much of unfinished messages to keep as it may")
	errSlowBody   = errors.New("the body took too long to arrive")
	errSilentBody = errors.New("nothing came for too long; a blank line now and then keeps a stream open")
	errNotReady   = errors.New("the node is not ready")
	errDraining   = errors.New("it is draining: it ends soon")
)

// statuses is the one table from errors to answers. The first row that
// errors.Is matches counts.
var statuses = [...]struct {
	err    error
	status int
}{
	{event.ErrTooLarge, http.StatusRequestEntityTooLarge},
	{event.ErrBatchTooLarge, http.StatusRequestEntityTooLarge},
	{event.ErrKeyReused, http.StatusUnprocessableEntity},
	{event.ErrTooManyTopics, http.StatusTooManyRequests},
	{errMediaType, http.StatusUnsupportedMediaType},
	{errEncoding, http.StatusUnsupportedMediaType},
	{errOrigin, http.StatusForbidden},
	{errCookieOrigin, http.StatusForbidden},
	{auth.ErrNoKeys, http.StatusServiceUnavailable},
	{errNoTopic, http.StatusNotFound},
	{errNoRoute, http.StatusNotFound},
	{errNoMethod, http.StatusMethodNotAllowed},
	{errEndSize, http.StatusRequestEntityTooLarge},
	{errBodySize, http.StatusRequestEntityTooLarge},
	{errLineSize, http.StatusRequestEntityTooLarge},
	{errEventSize, http.StatusRequestEntityTooLarge},
	{errShortBody, http.StatusBadRequest},
	{errSlowBody, http.StatusRequestTimeout},
	{errSilentBody, http.StatusRequestTimeout},
	{errNotReady, http.StatusServiceUnavailable},
	{hub.ErrNotReady, http.StatusServiceUnavailable},
	{context.Canceled, http.StatusServiceUnavailable},
	{context.DeadlineExceeded, http.StatusServiceUnavailable},
}

// statusOf returns the answer's status, and 500 for what is our own fault.
func statusOf(err error) int {
	for _, row := range statuses {
		if errors.Is(err, row.err) {
			return row.status
		}
	}
	if _, ok := errors.AsType[*event.InvalidError](err); ok {
		return http.StatusBadRequest
	}
	if _, ok := errors.AsType[*event.EndedError](err); ok {
		return http.StatusConflict
	}
	if _, ok := errors.AsType[*auth.CredentialError](err); ok {
		return http.StatusUnauthorized
	}
	if _, ok := errors.AsType[*limitError](err); ok {
		return http.StatusTooManyRequests
	}
	if _, ok := errors.AsType[*auth.RightError](err); ok {
		return http.StatusForbidden
	}
	if _, ok := errors.AsType[*event.TableFullError](err); ok {
		return http.StatusUnprocessableEntity
	}
	if _, ok := errors.AsType[*event.UnavailableError](err); ok {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// hinted is an error with advice for whoever made it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// describe words an error for the client. Nothing of a fault of our own gets
// out.
func describe(err error) Problem {
	p := Problem{Status: statusOf(err)}
	p.Title = http.StatusText(p.Status)
	if p.Status == http.StatusInternalServerError {
		p.Detail = "the hub failed; its log says why"
		return p
	}
	p.Detail = err.Error()
	if h, ok := errors.AsType[hinted](err); ok {
		p.Hint = h.hint
	}
	if item, ok := errors.AsType[*event.ItemError](err); ok {
		p.Item = &item.Index
	}
	if ended, ok := errors.AsType[*event.EndedError](err); ok {
		p.TopicStatus = ended.Status
	}
	return p
}

// fail answers with the error, logs it if it is our own fault, and ends the
// handling of the request.
func (s *Server) fail(c *gin.Context, err error) {
	p := describe(err)
	if p.Status == http.StatusInternalServerError {
		s.log.Error("request failed", slog.String("path", c.FullPath()), slog.Any("error", err))
	}
	s.answer(c, p, err)
}

// failPublish is fail for a publish: it also says whether the messages may be
// stored all the same.
func (s *Server) failPublish(c *gin.Context, err error) {
	s.answer(c, s.describePublish(err), err)
}

// failStream is failPublish for a stream: it also says how far it came.
func (s *Server) failStream(c *gin.Context, err error, t *tally) {
	p := s.describePublish(err)
	item := t.Published + t.Duplicates
	p.Item, p.tally = &item, t
	s.answer(c, p, err)
}

// describePublish describes why a publish failed, and logs it if it is not
// the client's fault.
func (s *Server) describePublish(err error) Problem {
	p := describe(err)
	if p.Status == http.StatusTooManyRequests {
		p.Stored = "no"
	}
	if p.Status < http.StatusInternalServerError {
		return p
	}
	p.Stored = "unknown"
	if u, ok := errors.AsType[*event.UnavailableError](err); ok && !u.MaybeStored {
		p.Stored = "no"
	}
	if !errors.Is(err, errDraining) {
		s.logPublish(p, err)
	}
	return p
}

// logPublish logs each failure that is our own fault, and those of the store
// now and then.
func (s *Server) logPublish(p Problem, err error) {
	if p.Status == http.StatusInternalServerError {
		s.log.Error("publish failed", slog.Any("error", err))
		return
	}
	if more, ok := s.outage.worthy(time.Now()); ok {
		s.log.Warn("publishes fail", slog.Any("error", err), slog.String("stored", p.Stored), slog.Int("others", more))
	}
}

func (s *Server) answer(c *gin.Context, p Problem, err error) {
	s.limited.count(err)
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(retryAfter(err).Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		c.Header("WWW-Authenticate", challenge(err))
	}
	c.Abort()
	answerWhole(c, p.Status, ProblemType, p)
}

// topicsRetry is when there may be room for another topic. It comes when one expires.
const topicsRetry = time.Minute

// retryAfter says when to try again what failed for now.
func retryAfter(err error) time.Duration {
	if u, ok := errors.AsType[*event.UnavailableError](err); ok && u.RetryAfter > 0 {
		return u.RetryAfter
	}
	if e, ok := errors.AsType[*limitError](err); ok {
		return max(time.Second, e.wait)
	}
	if errors.Is(err, event.ErrTooManyTopics) {
		return topicsRetry
	}
	return time.Second
}

// challenge says how to come by a right (RFC 6750, section 3). A credential that
// was there and is none is told apart from one that was missing.
func challenge(err error) string {
	if e, ok := errors.AsType[*auth.CredentialError](err); ok && !e.Missing {
		return `Bearer realm="tickertape", error="invalid_token"`
	}
	return `Bearer realm="tickertape"`
}

// answerWhole answers with a JSON document and its length, so that a client
// knows where it ends though the connection goes on.
func answerWhole(c *gin.Context, status int, media string, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	c.Header("Content-Length", strconv.Itoa(len(body)))
	c.Data(status, media, body)
}

// bodyError tells what went wrong while a body was read.
func bodyError(err error) error {
	if _, ok := errors.AsType[*event.UnavailableError](err); ok {
		return err
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errShortBody
	case errors.Is(err, errSilentBody):
		return errSilentBody
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlowBody
	}
	return fmt.Errorf("%w: %w", errShortBody, err)
}

// invalid words what is wrong with a query parameter.
func invalid(field, format string, args ...any) error {
	return &event.InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}
