package loop_test

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tickertape/internal/loop"
)

// No wake is lost, however many come at once and whatever the writer is at.
func TestNoWakeIsLost(t *testing.T) {
	t.Parallel()
	const conns, wakers, each = 20, 4, 2000
	s := newSockets(t)
	l := start(t, loop.Options{})
	var waking, reading sync.WaitGroup
	for range conns {
		var given atomic.Int64
		var said int64
		src := silent()
		src.next = func(dst [][]byte, _ time.Time) ([][]byte, loop.Then) {
			now := given.Load()
			if now > said {
				dst = append(dst, bytes.Repeat([]byte("x"), int(now-said)))
			}
			said = now
			return dst, never()
		}
		far, fd := s.pair(t)
		c := new(loop.Conn)
		c.Wake() // it has no loop yet
		l.Add(c, fd, src)
		for range wakers {
			waking.Go(func() {
				for range each {
					given.Add(1)
					c.Wake()
				}
			})
		}
		reading.Go(func() {
			if n, err := io.CopyN(io.Discard, far, wakers*each); err != nil {
				t.Errorf("%d of %d came: %v", n, wakers*each, err)
			}
		})
	}
	waking.Wait()
	reading.Wait()
}

// A wake counts that comes while the source is asked and has said nothing yet, and
// one that comes while the kernel is full.
func TestWakesAtBadMoments(t *testing.T) {
	t.Parallel()
	s := newSockets(t)
	l := start(t, loop.Options{})
	long := bytes.Repeat([]byte("x"), 1<<20) // more than fits at once
	src, c, turn, full := silent(), new(loop.Conn), 0, make(chan struct{})
	src.next = func(dst [][]byte, _ time.Time) ([][]byte, loop.Then) {
		turn++
		switch turn {
		case 1:
			var others sync.WaitGroup
			others.Go(c.Wake)
			others.Wait()
			return dst, never()
		case 2:
			time.AfterFunc(100*time.Millisecond, func() { c.Wake(); close(full) }) // by then it is
			return append(dst, long), never()
		}
		return append(dst, []byte("y")), loop.Then{End: io.EOF}
	}
	far, fd := s.pair(t)
	l.Add(c, fd, src)
	select {
	case <-full:
	case <-time.After(patience):
		t.Fatal("the first wake is lost")
	}
	if got, err := io.ReadAll(far); len(got) != len(long)+1 || err != nil {
		t.Errorf("%d bytes came (%v)", len(got), err)
	}
}
