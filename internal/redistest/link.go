package redistest

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// chunkSize is how much one read takes at most, in bytes.
	chunkSize = 8 << 10
	// maxChunks is how many chunks of a direction may wait for their time, or
	// for a receiver that reads slowly. Then its sender waits too.
	maxChunks = 1024
)

// link is a client's connection and its other half to the server. Each
// direction has a goroutine that reads and one that writes, so that a delay
// costs time, not throughput.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	host   string          // the client's
	ctx    context.Context // over when the link is dropped
	cancel context.CancelFunc
	life   int // bytes that may still come down; belongs to who writes those

	// Guarded by proxy.mu.
	server *net.TCPConn // nil until it is made
	torn   bool         // the present stall has swallowed some of its bytes
	dead   bool         // so did one that is over, or Deafen made it silent
}

// chunk is what one read brought: bytes, or the end of the stream.
type chunk struct {
	bytes []byte
	end   error // io.EOF, or what broke the connection
	due   time.Time
}

// serve runs the link until both directions have come to their end, or the
// link is dropped.
func (l *link) serve(target string) {
	defer l.end(reset)
	if !l.awaitFreedom() {
		return
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(l.ctx, "tcp", target)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	if !l.join(server) {
		reset(server)
		return
	}
	var reading, writing sync.WaitGroup
	run := func(d Direction, from, to *net.TCPConn) {
		chunks := make(chan chunk, maxChunks)
		reading.Go(func() { l.read(d, from, chunks) })
		writing.Go(func() { l.write(d, to, chunks) })
	}
	run(Up, l.client, server)
	run(Down, server, l.client)
	writing.Wait()
	// What has been passed on may still be in the kernel's hands.
	l.end(hangUp)
	reading.Wait()
}

// join gives the link its server half, unless it has been dropped.
func (l *link) join(server *net.TCPConn) bool {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	l.server = server
	return true
}

// read takes chunks from a connection until its end, which is the last chunk.
func (l *link) read(d Direction, from *net.TCPConn, chunks chan<- chunk) {
	for {
		buffer := make([]byte, chunkSize)
		n, err := from.Read(buffer)
		c := chunk{bytes: buffer[:n], end: err, due: l.due(d)}
		select {
		case chunks <- c:
		case <-l.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (l *link) due(d Direction) time.Time {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	return time.Now().Add(l.proxy.delay[d])
}

// write passes chunks on, each in its time, until the last one.
func (l *link) write(d Direction, to *net.TCPConn, chunks <-chan chunk) {
	for {
		var c chunk
		select {
		case c = <-chunks:
		case <-l.ctx.Done():
			return
		}
		if !l.awaitTime(c.due) || !l.awaitFreedom() {
			return
		}
		if len(c.bytes) > 0 && !l.swallows(d) {
			bytes, last := l.spend(d, c.bytes)
			if _, err := to.Write(bytes); err != nil {
				l.end(reset)
				return
			}
			if last {
				l.end(hangUp)
				return
			}
		}
		if c.end != nil {
			l.pass(d, to, c.end)
			return
		}
	}
}

// spend returns what of the bytes may still pass, and whether they are the last.
func (l *link) spend(d Direction, bytes []byte) (pass []byte, last bool) {
	if d == Up {
		return bytes, false
	}
	pass = bytes[:min(len(bytes), max(0, l.life))]
	l.life -= len(pass)
	return pass, l.life <= 0
}

// awaitTime waits until that time and reports whether the link still stands.
func (l *link) awaitTime(due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// awaitFreedom waits until the link's client is not held and reports whether
// the link still stands.
func (l *link) awaitFreedom() bool {
	for {
		l.proxy.mu.Lock()
		held, freed := l.proxy.held[l.host], l.proxy.freed
		l.proxy.mu.Unlock()
		if !held {
			return true
		}
		select {
		case <-freed:
		case <-l.ctx.Done():
			return false
		}
	}
}

// swallows reports whether bytes that are to be passed on now get lost, and
// notes that they do.
func (l *link) swallows(d Direction) bool {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	if l.proxy.stalled&d != 0 {
		l.torn = true
	}
	return l.dead || l.proxy.stalled&d != 0
}

// pass passes on the end of a stream, after the stall if there is one.
func (l *link) pass(d Direction, to *net.TCPConn, end error) {
	for resumed := l.stall(d); resumed != nil; resumed = l.stall(d) {
		select {
		case <-resumed:
		case <-l.ctx.Done():
			return
		}
	}
	if end != io.EOF {
		l.end(reset)
		return
	}
	_ = to.CloseWrite() // fails where the other side is gone already
}

// stall returns what is closed when the direction's stall ends; nil if there
// is none.
func (l *link) stall(d Direction) <-chan struct{} {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	if l.proxy.stalled&d == 0 {
		return nil
	}
	return l.proxy.resumed
}

// end is drop for those who do not hold proxy.mu.
func (l *link) end(closing func(*net.TCPConn)) {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	l.drop(closing)
}

// drop closes both halves; proxy.mu is held. Only the first drop counts.
func (l *link) drop(closing func(*net.TCPConn)) {
	if l.ctx.Err() != nil {
		return
	}
	l.cancel()
	delete(l.proxy.links, l)
	closing(l.client)
	if l.server != nil {
		closing(l.server)
	}
}

// reset closes a connection and forgets what it has not sent yet.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// hangUp closes a connection; what it has not sent yet still goes out.
func hangUp(conn *net.TCPConn) { _ = conn.Close() }
