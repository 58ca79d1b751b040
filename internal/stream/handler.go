package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"tickertape/internal/hub"
	"tickertape/internal/sse"
)

// handler is the portable writer: the goroutine that serves a request writes
// its stream and flushes it.
type handler struct {
	session
	writer  http.ResponseWriter
	control *http.ResponseController
	awake   chan struct{} // holds a token when Next has more
}

// Wake implements hub.Waker.
func (h *handler) Wake(*hub.Subscriber) {
	select {
	case h.awake <- struct{}{}:
	default:
	}
}

// serve writes the stream until it ends, and returns why. A panic ends this stream
// alone, as in a loop.
func (h *handler) serve(ctx context.Context, q Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrFault, p)
		}
	}()
	if err := h.open(q, h); err != nil {
		return h.sendAway(err, 0)
	}
	h.start()
	return h.run(ctx)
}

// fullTimes is how much longer clients wait for a node that is full: streams last,
// and until one ends, all who come back come in vain.
const fullTimes = 5

// sendAway writes nothing but the advice when to come back.
func (h *handler) sendAway(why error, retry time.Duration) error {
	if retry == 0 {
		retry = jittered(h.server.options.Retry)
		if errors.Is(why, ErrFull) {
			retry *= fullTimes
		}
	}
	return errors.Join(why, h.write(h.append(nil, sse.AppendRetry(nil, retry))))
}

func (h *handler) run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	closing := h.server.closing
	var blocks [][]byte
	for ctx.Err() == nil {
		next, then := h.Next(blocks[:0], time.Now())
		if err := h.write(next); err != nil {
			return err
		}
		clear(next) // hold on to no frame while waiting
		blocks = next
		if then.End != nil {
			return then.End
		}
		if then.More {
			continue
		}
		timer.Reset(time.Until(then.At))
		select {
		case <-ctx.Done():
		case <-h.awake:
		case <-timer.C:
		case <-closing:
			closing = nil // Next knows
		}
	}
	return ctx.Err()
}

// write writes and flushes what there is. Each piece has its own deadline, so a
// slow client is served as long as it takes something.
func (h *handler) write(blocks [][]byte) error {
	if len(blocks) == 0 {
		return nil
	}
	if err := h.extend(); err != nil {
		return err
	}
	written := 0
	for _, b := range blocks {
		for len(b) > 0 {
			n := min(len(b), piece)
			if written += n; written > piece {
				written = n
				if err := h.extend(); err != nil {
					return err
				}
			}
			if _, err := h.writer.Write(b[:n]); err != nil {
				return stalled(err)
			}
			b = b[n:]
		}
	}
	if err := h.control.Flush(); err != nil {
		return stalled(err)
	}
	h.Written(time.Now())
	// HTTP/2 ends a stream whose deadline passes, also while nothing is written.
	return h.control.SetWriteDeadline(time.Time{})
}

func (h *handler) extend() error {
	return h.control.SetWriteDeadline(time.Now().Add(h.server.options.Stall))
}

func stalled(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrStalled
	}
	return err
}
