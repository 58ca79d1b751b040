package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strings"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/sse"
)

// maxBlock bounds one event of a stream. A message has at most 256 KiB of data,
// which JSON may write with up to six bytes for each.
const maxBlock = 4 << 20

// read hands on what the stream brings until it ends or ctx does, and reports
// whether another connection may do better.
func (l *listener) read(ctx context.Context, body io.Reader) (again bool, err error) {
	d := sse.NewDecoder(body, maxBlock)
	defer func() {
		if d.Retry() > 0 {
			l.retry = d.Retry()
		}
	}()
	for {
		e, err := d.Next()
		switch {
		case errors.Is(err, sse.ErrTooLong):
			return false, err
		case errors.Is(err, io.EOF) && len(l.open) == 0:
			return false, nil
		case errors.Is(err, io.EOF):
			return true, errBroken
		case err != nil:
			return true, orCause(ctx, fmt.Errorf("%w: %w", errBroken, err))
		}
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		if e.Name == "hub.auth" {
			return true, errExpired
		}
		if strings.ContainsFunc(e.ID, notInCursor) {
			return false, fmt.Errorf("%w: an id is no cursor: %.100q", errNotHub, e.ID)
		}
		if err := l.take(e); err != nil {
			return false, err
		}
		if e.ID != "" {
			l.cursor = e.ID
		}
	}
}

// notInCursor reports whether a cursor cannot have the character: cursors are
// URL-safe, so they can stand in a header and on a command line as they are.
func notInCursor(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("-._~", r)
}

var (
	errBroken  = errors.New("the stream broke off")
	errExpired = errors.New("the credential has expired")
)

// take hands one event of the stream on. The cursor moves behind it only if
// there is no error.
func (l *listener) take(e sse.Event) error {
	switch e.Name {
	case "hub.open":
		var open struct{ Resumed bool }
		if err := decode(e, &open); err != nil {
			return err
		}
		l.failures = 0
		l.bearer.accepted()
		l.tell(State{Connected: true, Resumed: open.Resumed})
		return nil
	case "hub.gap":
		var gap Gap
		if err := decode(e, &gap); err != nil || l.handler.Gap == nil {
			return err
		}
		return l.handler.Gap(gap)
	case event.EndName:
		return l.takeEnd(e)
	}
	if strings.HasPrefix(e.Name, "hub.") {
		return nil // hub.cursor, or what a later hub may have to say
	}
	one := Event{Cursor: e.ID}
	if err := decode(e, &one.Envelope); err != nil {
		return err
	}
	if one.Topic == "" || one.Data == nil {
		return fmt.Errorf("%w: an event has no topic or no data: %.100q", errNotHub, e.Data)
	}
	if l.handler.Event == nil {
		return nil
	}
	return l.handler.Event(one)
}

// takeEnd notes that nothing comes of a topic any more, and tells it.
func (l *listener) takeEnd(e sse.Event) error {
	end := End{Cursor: e.ID}
	if err := decode(e, &end); err != nil {
		return err
	}
	if l.handler.End != nil {
		if err := l.handler.End(end); err != nil {
			return err
		}
	}
	delete(l.open, end.Topic)
	return nil
}

// decode reads the data of an event. What cannot be read will not get better
// by being sent again, and must not be passed over.
func decode(e sse.Event, into any) error {
	if err := json.Unmarshal([]byte(e.Data), into); err != nil {
		return fmt.Errorf("%w: an event cannot be read: %w: %.100q", errNotHub, err, e.Data)
	}
	return nil
}

func isEventStream(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "text/event-stream"
}

// retryAfter returns how long the hub's answer asks to wait.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// orCause returns the reason why ctx was cancelled, if it was: it says more
// than the error of the read that this broke off.
func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// withoutURL returns what is behind an *url.Error: the address is known to
// whoever listens, and the query is long.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
