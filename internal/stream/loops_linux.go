package stream

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tickertape/internal/hub"
	"tickertape/internal/loop"
)

const haveLoops = true

// loops are those of a server: one for each processor. They start with the
// first stream that they can serve.
type loops struct {
	mu     sync.Mutex
	all    []*loop.Loop
	next   int
	closed bool
	ends   ends
}

// pick returns the loop whose turn it is to get a stream, or nil.
func (l *loops) pick(o Options) *loop.Loop {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && len(l.all) < runtime.GOMAXPROCS(0) {
		started, err := loop.New(loop.Options{Stall: o.Stall, Tick: o.tick()})
		if err != nil {
			break // files are short
		}
		l.all = append(l.all, started)
	}
	if l.closed || len(l.all) == 0 {
		return nil
	}
	l.next = (l.next + 1) % len(l.all)
	return l.all[l.next]
}

// each calls f for each loop.
func (l *loops) each(f func(*loop.Loop)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		f(one)
	}
}

func (l *loops) wake() { l.each((*loop.Loop).WakeAll) }

func (l *loops) cut() { l.each((*loop.Loop).Cut) }

// close ends the loops, and cuts off what streams they still have. It returns when
// their ends have been told.
func (l *loops) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.each((*loop.Loop).Close)
	l.ends.wait()
}

// looped is a stream that a loop writes. What a wake looks at lies where the
// two meet.
type looped struct {
	conn loop.Conn
	session
}

// Wake implements hub.Waker.
func (s *looped) Wake(*hub.Subscriber) { s.conn.Wake() }

// Ended implements loop.Source. Server.Close waits for what becomes of it.
func (s *looped) Ended(why error) { s.server.loops.ends.add(ending{s, why}) }

// finish does what is left to do once the connection is closed.
func (s *looped) finish(why error) {
	defer s.server.leave()
	if errors.Is(why, loop.ErrStalled) {
		why = ErrStalled
	}
	s.end(why)
}

// take gives the stream to a loop, and reports whether one can serve it. Then the
// response is to be aborted: net/http, which has written nothing, closes its
// descriptor of the socket and keeps its buffers for the next connection. One that
// is hijacked would take them along. Nothing is kept of the request, nor of what
// net/http has read behind it.
func (s *Server) take(w http.ResponseWriter, r *http.Request, q Request, ended func(Served)) bool {
	conn := connOf(r)
	if conn == nil || s.options.Writer == Portable || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.TLS != nil || r.ContentLength != 0 {
		return false
	}
	l := s.loops.pick(s.options)
	if l == nil {
		return false
	}
	fd, err := loop.Duplicate(conn)
	if err != nil {
		return false
	}
	stream := new(looped)
	stream.prepare(s, q, ended)
	stream.chunked, q.Chunked = true, true
	if err := stream.open(q, stream); err != nil {
		_ = unix.Close(fd)
		return false
	}
	stream.start()
	stream.head = head(w.Header())
	l.Add(&stream.conn, fd, stream)
	return true
}

// connOf returns the connection of a request, or nil if it has not come by
// WithConn, or is not one of plain TCP.
func connOf(r *http.Request) *net.TCPConn {
	c, _ := r.Context().Value(connKey{}).(*net.TCPConn)
	return c
}

// head returns what stands before the body of the answer.
func head(h http.Header) []byte {
	b := bytes.NewBuffer(make([]byte, 0, 1<<10))
	b.WriteString("HTTP/1.1 200 OK\r\nDate: ")
	b.Write(time.Now().UTC().AppendFormat(b.AvailableBuffer(), http.TimeFormat))
	b.WriteString("\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n") // behind a stream comes nothing
	_ = h.Write(b)                                                           // to a buffer: cannot fail
	b.WriteString("\r\n")
	return b.Bytes()
}
