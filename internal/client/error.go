package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"tickertape/internal/event"
)

// Error is a hub's answer that is not what was asked for. Its fields are those
// of the problem document (RFC 9457) in it.
type Error struct {
	Status int
	Detail string // what is wrong
	Hint   string // what to do about it; may be empty
	Item   *int   // which message of a batch or stream, from 0; nil if it is not one of them
	Stored string // of a failed publish: "no" or "unknown"; empty when refused
	// What was accepted of a stream before.
	Published  int
	Duplicates int
	LastID     string
	// RetryAfter is how long the hub asks to wait; 0 if it did not say.
	RetryAfter time.Duration
	// Ended says of a 409 which topic takes no messages any more, and how it
	// ended; else it is nil.
	Ended *event.EndedError
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.Item != nil {
		text += fmt.Sprintf(": message %d", *e.Item)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	if e.Stored == "unknown" {
		text += "; it may be stored all the same"
	}
	return text
}

// Unwrap returns what the answer means to whoever knows topics.
func (e *Error) Unwrap() error {
	if e.Ended == nil {
		return nil
	}
	return e.Ended
}

// endedAs returns the error of a message to a topic with the topic's name in it.
func endedAs(err error, t event.Topic) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Ended != nil {
		e.Ended.Topic = t
	}
	return err
}

// Refused reports whether the hub will answer the same however often it is
// asked: a 4xx other than 408 and 429.
func (e *Error) Refused() bool {
	passing := e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests
	return e.Status >= 400 && e.Status < 500 && !passing
}

// Passing reports whether what failed may work later: the hub could not be
// reached, did not answer in time, or answered that it is not able to now.
func Passing(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status >= 400 && !e.Refused()
	}
	_, ok := errors.AsType[*unreachable](err)
	return ok && !errors.Is(err, context.Canceled)
}

// unreachable says that there was no answer, or only a part of one.
type unreachable struct{ err error }

func (e *unreachable) Error() string { return e.err.Error() }
func (e *unreachable) Unwrap() error { return e.err }

// errNotHub says that something answered which is not a hub.
var errNotHub = errors.New("this is not the answer of a hub")

// maxAnswer bounds how much of an answer is read.
const maxAnswer = 1 << 20

// problem is an error answer's document.
type problem struct {
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
	Item   *int   `json:"item"`
	Stored string `json:"stored"`
	Ended  string `json:"topic_status"`
	taken
}

// answerError turns an answer into an Error. Proxies answer in their own way:
// what is no problem document gives its status alone.
func answerError(r *http.Response) *Error {
	e := &Error{Status: r.StatusCode}
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	if to, err := r.Location(); err == nil && r.StatusCode/100 == 3 {
		to.RawQuery = ""
		e.Detail, e.Hint = "this address leads to "+to.Redacted(), "give the hub's address itself"
		return e
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/problem+json" {
		return e
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return e
	}
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		return e
	}
	e.Detail, e.Hint, e.Item, e.Stored = p.Detail, p.Hint, p.Item, p.Stored
	e.Published, e.Duplicates, e.LastID = p.Published, p.Duplicates, p.LastID
	if e.Status == http.StatusConflict {
		e.Ended = &event.EndedError{Status: event.Status(p.Ended)}
	}
	return e
}

// invalid words what is wrong with something that the caller gave.
func invalid(field, format string, args ...any) error {
	return &event.InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}
