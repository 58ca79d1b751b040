package client

import (
	"io"
	"sync"
)

// feed is the body of a request that is written while it is sent. Adding to it
// never blocks: whoever adds bounds how much that is.
type feed struct {
	mu     sync.Mutex
	more   sync.Cond
	buffer []byte
	end    error         // what Read returns once the buffer is empty; nil while more may come
	closed chan struct{} // closed when the transport reads no more
	once   sync.Once
}

func newFeed() *feed {
	f := &feed{closed: make(chan struct{})}
	f.more.L = &f.mu
	return f
}

// add appends a copy of the line.
func (f *feed) add(line []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buffer = append(f.buffer, line...)
	f.more.Broadcast()
}

// finish ends the body behind what was added.
func (f *feed) finish() { f.stop(io.EOF, false) }

// abort ends the body at once.
func (f *feed) abort() { f.stop(io.ErrClosedPipe, true) }

func (f *feed) stop(reason error, now bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end == nil || now {
		f.end = reason
	}
	if now {
		f.buffer = nil
	}
	f.more.Broadcast()
}

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.buffer) == 0 && f.end == nil {
		f.more.Wait()
	}
	if len(f.buffer) == 0 {
		return 0, f.end
	}
	n := copy(p, f.buffer)
	f.buffer = f.buffer[n:]
	return n, nil
}

// Close implements io.Closer.
func (f *feed) Close() error {
	f.abort()
	f.once.Do(func() { close(f.closed) })
	return nil
}
