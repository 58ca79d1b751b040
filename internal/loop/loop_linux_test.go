package loop_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/loop"
)

// What sources bring arrives as it is, in whatever pieces the kernel takes it and
// the client reads it; and Written is called once for each turn that brought
// something.
func TestBytesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	s := newSockets(t)
	l := start(t, loop.Options{})
	rapid.Check(t, func(r *rapid.T) {
		sizes := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 7, 100, 1500, 4096, 20_000}), 1, 300), 1, 4).Draw(r, "turns")
		var all []byte
		var turns [][][]byte
		for _, turn := range sizes {
			var blocks [][]byte
			for _, size := range turn {
				block := make([]byte, size)
				for i := range block {
					block[i] = byte(len(all) + i*7)
				}
				all = append(all, block...)
				blocks = append(blocks, block)
			}
			turns = append(turns, blocks)
		}
		var at, written atomic.Int64
		src := &source{ended: make(chan error, 2), written: func() { written.Add(1) }}
		src.next = func(dst [][]byte, _ time.Time) ([][]byte, loop.Then) {
			turn := at.Add(1)
			then := loop.Then{More: true}
			if int(turn) == len(turns) {
				then = loop.Then{End: io.EOF}
			}
			return append(dst, turns[turn-1]...), then
		}
		far, fd := s.pair(t)
		l.Add(new(loop.Conn), fd, src)
		piece := make([]byte, rapid.SampledFrom([]int{1000, 3001, 64 << 10}).Draw(r, "piece"))
		var got []byte
		for {
			n, err := far.Read(piece)
			got = append(got, piece[:n]...)
			if err != nil {
				break
			}
		}
		_ = far.Close()
		if !bytes.Equal(got, all) {
			r.Fatalf("%d bytes came of %d, or others", len(got), len(all))
		}
		if why := src.why(t); why != io.EOF || written.Load() != int64(len(turns)) {
			r.Fatalf("it ended with %v; %d of %d turns were written", why, written.Load(), len(turns))
		}
	})
}

// A connection ends once, for the reason that there was, and its client sees it
// end.
func TestEnds(t *testing.T) {
	t.Parallel()
	s := newSockets(t)
	for name, row := range map[string]struct {
		end func(*loop.Loop, *net.TCPConn)
		why error
	}{
		"client closes":      {func(_ *loop.Loop, c *net.TCPConn) { _ = c.Close() }, loop.ErrLeft},
		"client half-closes": {func(_ *loop.Loop, c *net.TCPConn) { _ = c.CloseWrite() }, loop.ErrLeft},
		"client resets":      {func(_ *loop.Loop, c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() }, loop.ErrLeft},
		"client talks":       {func(_ *loop.Loop, c *net.TCPConn) { _, _ = c.Write([]byte("x")) }, loop.ErrTalked},
		"cut":                {func(l *loop.Loop, _ *net.TCPConn) { l.Cut() }, loop.ErrCut},
		"closed":             {func(l *loop.Loop, _ *net.TCPConn) { l.Close() }, loop.ErrCut},
	} {
		for _, early := range []bool{true, false} {
			t.Run(name+", early: "+strconv.FormatBool(early), func(t *testing.T) {
				t.Parallel()
				l := start(t, loop.Options{})
				far, fd := s.pair(t)
				src, asked := silent(), make(chan struct{}, 1)
				src.next = func(dst [][]byte, _ time.Time) ([][]byte, loop.Then) {
					select {
					case asked <- struct{}{}:
					default:
					}
					return dst, never()
				}
				if early && name != "cut" { // that is for those who are there
					row.end(l, far)
				}
				c := new(loop.Conn)
				l.Add(c, fd, src)
				if !early || name == "cut" {
					<-asked
					row.end(l, far)
				}
				if why := src.why(t); !errors.Is(why, row.why) {
					t.Errorf("it ended with %v, want %v", why, row.why)
				}
				if b, err := io.ReadAll(far); len(b) > 0 {
					t.Errorf("the client reads %q (%v)", b, err)
				}
				c.Wake()
				l.Close()
				if len(src.ended) > 0 {
					t.Error("it ended twice")
				}
			})
		}
	}
}

// A client that takes nothing is cut, but not as long as it takes something.
func TestStall(t *testing.T) {
	t.Parallel()
	const stall = 300 * time.Millisecond
	s := newSockets(t)
	l := start(t, loop.Options{Stall: stall, Tick: tick})
	far, fd := s.pair(t)
	src, asked := silent(), make(chan struct{}, 1)
	long := []byte(strings.Repeat("x", 1<<20))
	src.next = func(dst [][]byte, _ time.Time) ([][]byte, loop.Then) {
		asked <- struct{}{}
		return append(dst, long), never()
	}
	l.Add(new(loop.Conn), fd, src)
	<-asked
	begin := time.Now()
	piece := make([]byte, 16<<10)
	for time.Since(begin) < 3*stall { // never so long without taking something
		if _, err := far.Read(piece); err != nil {
			t.Fatalf("cut after %v: %v", time.Since(begin), err)
		}
		time.Sleep(stall / 30)
	}
	last := time.Now()
	if why := src.why(t); !errors.Is(why, loop.ErrStalled) {
		t.Errorf("it ended with %v", why)
	}
	if took := time.Since(last); took < stall/2 {
		t.Errorf("cut %v after it took something", took)
	}
}

// Times are kept: the next call comes when it was asked for, not before, also
// beyond what the wheel holds at once, and behind wakes.
func TestTimes(t *testing.T) {
	t.Parallel()
	s := newSockets(t)
	l := start(t, loop.Options{Tick: tick})
	var sources []*source
	var conns []*loop.Conn
	for _, wait := range []time.Duration{0, 3 * tick, 100 * tick, 1200 * tick} {
		src := silent()
		var at time.Time
		src.next = func(dst [][]byte, now time.Time) ([][]byte, loop.Then) {
			if at.IsZero() {
				at = now.Add(wait)
			}
			if now.Before(at) {
				return dst, loop.Then{At: at}
			}
			return dst, loop.Then{End: io.EOF}
		}
		_, fd := s.pair(t)
		sources, conns = append(sources, src), append(conns, new(loop.Conn))
		l.Add(conns[len(conns)-1], fd, src)
	}
	begin := time.Now()
	for range 50 {
		conns[rand.N(len(conns))].Wake()
		l.WakeAll()
	}
	for _, src := range sources {
		if why := src.why(t); why != io.EOF {
			t.Errorf("it ended with %v", why)
		}
	}
	if took := time.Since(begin); took < 1000*tick {
		t.Errorf("all was over after %v", took)
	}
}

// A source that panics ends its own connection, and no other.
func TestFaults(t *testing.T) {
	t.Parallel()
	s := newSockets(t)
	l := start(t, loop.Options{})
	well := silent()
	_, fd := s.pair(t)
	l.Add(new(loop.Conn), fd, well)
	long := bytes.Repeat([]byte("x"), 1<<20) // more than fits at once
	for name, src := range map[string]*source{
		"Next":           {next: func([][]byte, time.Time) ([][]byte, loop.Then) { panic("at once") }},
		"Written":        {next: func(dst [][]byte, _ time.Time) ([][]byte, loop.Then) { return append(dst, long[:1]), never() }},
		"Written, later": {next: func(dst [][]byte, _ time.Time) ([][]byte, loop.Then) { return append(dst, long), never() }},
	} {
		src.ended, src.written = make(chan error, 2), func() { panic(name) }
		far, fd := s.pair(t)
		l.Add(new(loop.Conn), fd, src)
		if _, err := io.Copy(io.Discard, far); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if why := src.why(t); !errors.Is(why, loop.ErrFault) {
			t.Errorf("%s: it ended with %v", name, why)
		}
	}
	l.Cut()
	if why := well.why(t); !errors.Is(why, loop.ErrCut) {
		t.Errorf("the other one ended with %v", why)
	}
}

// Sources that panic keep nothing from those who have their turn with them.
func TestFaultsAmongOthers(t *testing.T) {
	t.Parallel()
	s := newSockets(t)
	l := start(t, loop.Options{})
	all := make(chan struct{})
	first := silent()
	first.next = func(dst [][]byte, _ time.Time) ([][]byte, loop.Then) { <-all; return dst, never() }
	_, fd := s.pair(t)
	l.Add(new(loop.Conn), fd, first) // keeps the loop until all are there
	sources, fars := make([]*source, 60), make([]*net.TCPConn, 60)
	for i := range sources {
		src := silent()
		src.next = func(dst [][]byte, _ time.Time) ([][]byte, loop.Then) {
			if i%3 == 0 {
				panic("asked")
			}
			return append(dst, []byte("x")), loop.Then{End: io.EOF}
		}
		src.written = func() {
			if i%3 == 1 {
				panic("told")
			}
		}
		far, fd := s.pair(t)
		l.Add(new(loop.Conn), fd, src)
		sources[i], fars[i] = src, far
	}
	close(all)
	for i, src := range sources {
		want, reason := "x", error(io.EOF)
		switch i % 3 {
		case 0:
			want, reason = "", loop.ErrFault
		case 1:
			reason = loop.ErrFault
		}
		got, err := io.ReadAll(fars[i])
		if why := src.why(t); err != nil || string(got) != want || !errors.Is(why, reason) {
			t.Fatalf("number %d got %q (%v) and ended with %v", i, got, err, why)
		}
	}
}
