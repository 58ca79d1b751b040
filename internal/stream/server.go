// Package stream writes subscribers' frames to sockets, keeps quiet streams
// alive, cuts those that take nothing, and closes all of them when the node
// ends. It knows HTTP, but no router.
//
// A session is what a stream is, whoever writes it. There are two writers. The
// portable one is the goroutine that serves the request, which takes frames and
// flushes them. On Linux, connections of plain HTTP/1.1 are taken from net/http
// and given to a few loops (package loop), each of which writes thousands.
package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tickertape/internal/hub"
	"tickertape/internal/loop"
)

// Options are the times and limits of streams. Zero fields mean the defaults.
type Options struct {
	KeepAlive   time.Duration // silence before a sign of life, ± 20 % for each stream. 15 s
	CursorEvery time.Duration // time without an id before a hub.cursor. 5 min
	Stall       time.Duration // a stream that takes no byte for so long is cut. 30 s
	Retry       time.Duration // what browsers wait before they come back, ± 50 %. 3 s
	Lifetime    time.Duration // after which a stream ends and its client comes back, ± 20 %; 0: never
	MaxStreams  int           // more than these are sent away until later. 100,000
	Writer      Writer        // Auto. One that Check refuses does what Auto does

	// Delay, if set, is called for each batch of live events that was
	// written: how long ago the first of them was published, by the store's
	// clock. Many streams call it at once.
	Delay func(time.Duration)
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field    *time.Duration
		standard time.Duration
	}{{&o.KeepAlive, 15 * time.Second}, {&o.CursorEvery, 5 * time.Minute},
		{&o.Stall, 30 * time.Second}, {&o.Retry, 3 * time.Second}} {
		if *d.field == 0 {
			*d.field = d.standard
		}
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = 100_000
	}
	return o
}

// tick is how exactly the loops keep these times.
func (o Options) tick() time.Duration {
	return min(max(min(o.KeepAlive, o.CursorEvery, o.Stall)/20, time.Millisecond), 50*time.Millisecond)
}

// Server writes the streams of one hub.
type Server struct {
	hub     *hub.Hub
	options Options
	began   time.Time
	counts  counts
	loops   loops

	mu     sync.Mutex
	open   int
	window time.Duration // over which streams close; set when closing is closed
	closed bool
	// closing is closed when the streams shall end, empty when they have.
	closing chan struct{}
	empty   chan struct{}
}

// NewServer returns a Server for the hub's streams.
func NewServer(h *hub.Hub, o Options) *Server {
	return &Server{hub: h, options: o.withDefaults(), began: time.Now(), closing: make(chan struct{}), empty: make(chan struct{})}
}

// Request is what a stream asks for.
type Request struct {
	hub.Request
	// Heartbeat asks for hub.heartbeat events in place of comments: pages
	// cannot see those.
	Heartbeat bool
	// Expires is when the stream ends since its client's rights do; zero: they
	// do not.
	Expires time.Time
	// Away, if set, is why the client cannot be served now.
	Away error
	// Retry is when a client that is sent away may come back; 0: as others do.
	Retry time.Duration
}

// The reasons why a stream ends, besides the client's leaving.
var (
	ErrStalled = errors.New("the client took nothing for too long")
	ErrClosing = errors.New("the node is closing")
	ErrFull    = errors.New("the node has as many streams as it may")
	ErrOver    = errors.New("all topics have ended")
	ErrExpired = errors.New("the client's token expired")
	ErrUnknown = errors.New("whether the client's token is good cannot be told yet")
	ErrBusy    = errors.New("the node opens as many streams a second as it may")
	ErrAddress = errors.New("the client's address has as much as it may")
	ErrSubject = errors.New("the client's token has as many streams as it may")
	ErrAged    = errors.New("the stream was open as long as it may")
	ErrFault   = loop.ErrFault // of the hub
)

// Serve writes the stream until it ends, or gives it to a loop and returns at
// once. Either way ended is called once, when the stream has ended, maybe on
// another goroutine: it must keep nothing of the request. The answer is always
// 200, also for a request that cannot be served now, which gets nothing but the
// advice when to come back: on any other status a browser gives up for good.
//
// If Serve says so, the caller must abort the response (http.ErrAbortHandler):
// either a loop has the stream, or it shall end without the terminating chunk. A
// client that reads the stream by fetch takes a clean end for the end of
// everything, an aborted one for a reason to come back.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, q Request, ended func(Served)) (abort bool) {
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store, no-transform")
	header.Set("X-Accel-Buffering", "no")
	err := q.Away
	if err == nil {
		err = s.enter()
	}
	if err == nil && s.take(w, r, q, ended) {
		return true
	}
	if errors.Is(err, ErrClosing) {
		header.Set("Connection", "close") // by HTTP/2 the client would come back to this very node
	}
	h := &handler{writer: w, control: http.NewResponseController(w), awake: make(chan struct{}, 1)}
	h.prepare(s, q, ended)
	if err != nil {
		h.end(h.sendAway(err, q.Retry))
		return true
	}
	defer s.leave()
	err = h.serve(r.Context(), q)
	h.end(err)
	return !errors.Is(err, ErrOver)
}

// Open returns how many streams are open.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Close ends all streams, each at a moment of its own within the window and
// with its own advice when to come back, so that the clients do not all come
// back at once. It returns when the last one has ended, or with ctx's error; what
// the loops still have then is cut off. Streams that are asked for meanwhile are
// sent away.
func (s *Server) Close(ctx context.Context, window time.Duration) error {
	s.mu.Lock()
	if !s.closed {
		s.closed, s.window = true, window
		close(s.closing)
		if s.open == 0 {
			close(s.empty)
		}
	}
	s.mu.Unlock()
	defer s.loops.close()
	s.loops.wake()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d streams still open: %w", s.Open(), ctx.Err())
	}
}

// Cut breaks off the streams of connections that net/http has forgotten, as its
// own Close does with the others.
func (s *Server) Cut() { s.loops.cut() }

func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

func (s *Server) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosing
	case s.open >= s.options.MaxStreams:
		return ErrFull
	}
	s.open++
	return nil
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open--; s.closed && s.open == 0 {
		close(s.empty)
	}
}
