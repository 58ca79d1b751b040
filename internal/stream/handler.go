package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"tickertape/internal/hub"
	"tickertape/internal/sse"
)

// piece is how much is written under one deadline: a client that takes less
// than that in Options.Stall is cut.
const piece = 16 << 10

// connection is one stream's writer. It is the Waker of its subscriber.
type connection struct {
	server     *Server
	request    Request
	subscriber *hub.Subscriber
	writer     http.ResponseWriter
	control    *http.ResponseController
	awake      chan struct{} // holds a token when Take has more
	lastID     time.Time     // when the client last got an id
	lastWrite  time.Time
	written    hub.Taken // what of that the client got
	bytes      uint64
}

// Wake implements hub.Waker.
func (c *connection) Wake(*hub.Subscriber) {
	select {
	case c.awake <- struct{}{}:
	default:
	}
}

// greet writes the headers and the first block in one go: a browser that is
// cut off before it has a cursor would come back without one.
func (c *connection) greet() error {
	opening := c.subscriber.Opening()
	block := c.appendRetry(nil)
	block = sse.AppendID(block, opening.ID)
	data := fmt.Sprintf(`{"resumed":%t}`, opening.Resumed)
	if opening.Tables {
		data = fmt.Sprintf(`{"resumed":%t,"tables":true}`, opening.Resumed)
	}
	block = sse.AppendEvent(block, hub.OpenEvent, data)
	return c.writeID(block)
}

// goodbye writes a retry line alone: it counts as soon as it is read, and a
// blank line behind it would be an empty event to some clients.
func (c *connection) goodbye() error { return c.write(c.appendRetry(nil)) }

func (c *connection) appendRetry(dst []byte) []byte {
	retry := c.server.options.Retry
	return sse.AppendRetry(dst, retry/2+rand.N(retry+1))
}

func (c *connection) run(ctx context.Context) error {
	o := c.server.options
	keepAlive := o.KeepAlive*4/5 + rand.N(o.KeepAlive*2/5+1)
	timer := time.NewTimer(min(keepAlive, o.CursorEvery))
	defer timer.Stop()
	closing, closeNow := c.server.closing, (<-chan time.Time)(nil)
	var blocks [][]byte
	for {
		var state hub.State
		blocks, state = c.subscriber.Take(blocks[:0], piece)
		if err := c.deliver(blocks); err != nil {
			return err
		}
		clear(blocks[:cap(blocks)]) // hold on to no frame while waiting
		if c.subscriber.Complete() {
			return ErrOver
		}
		if state == hub.More {
			c.Wake(nil)
		} else {
			now := time.Now()
			silence := min(c.lastWrite.Add(keepAlive).Sub(now), c.lastID.Add(o.CursorEvery).Sub(now))
			if silence <= 0 {
				if err := c.signOfLife(); err != nil {
					return err
				}
				continue
			}
			timer.Reset(silence)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.awake:
		case <-timer.C:
		case <-closing:
			closing = nil
			closeNow = time.After(rand.N(c.server.window + 1))
		case <-closeNow:
			return errors.Join(ErrClosing, c.last(), c.goodbye())
		}
	}
}

// last writes what was there before the stream had to end: its publishers
// were told that it is on its way.
func (c *connection) last() error {
	for {
		blocks, state := c.subscriber.Take(nil, piece)
		if err := c.deliver(blocks); err != nil {
			return err
		}
		if state != hub.More {
			return nil
		}
	}
}

// deliver writes what a Take brought, and counts it.
func (c *connection) deliver(blocks [][]byte) error {
	if len(blocks) == 0 {
		return nil
	}
	if err := c.writeID(blocks...); err != nil {
		return err
	}
	taken := c.subscriber.Taken()
	if delay := c.server.options.Delay; delay != nil && !taken.Live.IsZero() {
		delay(c.lastWrite.Sub(taken.Live.Time()))
	}
	c.server.counts.events.Add(taken.Events - c.written.Events)
	c.written = taken
	return nil
}

// signOfLife says that a quiet stream lives, and from time to time what its
// cursor is now: one that nobody renews grows older than what is kept.
func (c *connection) signOfLife() error {
	name := ""
	switch {
	case c.request.Heartbeat:
		name = hub.HeartbeatEvent
	case time.Since(c.lastID) >= c.server.options.CursorEvery:
		name = hub.CursorEvent
	default:
		return c.write([]byte(sse.KeepAlive))
	}
	block := sse.AppendID(nil, c.subscriber.Cursor())
	return c.writeID(sse.AppendEvent(block, name, "{}"))
}

// writeID writes blocks of which the last one has an id.
func (c *connection) writeID(blocks ...[]byte) error {
	err := c.write(blocks...)
	c.lastID = c.lastWrite
	return err
}

// write writes and flushes. Each piece has its own deadline, so a slow client
// is served as long as it takes something.
func (c *connection) write(blocks ...[]byte) error {
	if err := c.extend(); err != nil {
		return err
	}
	written, total := 0, 0
	for _, b := range blocks {
		for len(b) > 0 {
			n := min(len(b), piece)
			if written += n; written > piece {
				written = n
				if err := c.extend(); err != nil {
					return err
				}
			}
			if _, err := c.writer.Write(b[:n]); err != nil {
				return stalled(err)
			}
			b = b[n:]
			total += n
		}
	}
	if err := c.control.Flush(); err != nil {
		return stalled(err)
	}
	c.lastWrite = time.Now()
	c.bytes += uint64(total)
	c.server.counts.bytes.Add(uint64(total))
	// HTTP/2 ends a stream whose deadline passes, also while nothing is written.
	return c.control.SetWriteDeadline(time.Time{})
}

func (c *connection) extend() error {
	return c.control.SetWriteDeadline(time.Now().Add(c.server.options.Stall))
}

func stalled(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrStalled
	}
	return err
}
