//go:build linux

package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Flow says what is published: a message after the other, to the topics First
// to First+Topics-1 in turn, until For is over or Count were sent; zero means
// no end of this kind.
type Flow struct {
	First, Topics int
	For           time.Duration
	Count         int
	Rate          float64 // a second; 0: as fast as answers come
	Burst         int     // with a rate, so many at once, and fewer times a second; 0: 1
	Stream        bool    // all in one request, line by line
}

// flow is a Flow that is under way.
type flow struct {
	Flow
	active bool
	eager  bool // has more to send, and nothing to wait for
	end    time.Duration
	left   int
	due    int // messages whose time has come
	turn   int // among the topics
	unsent uint64
	stream *lane
}

const (
	blockLines = 32 // of a stream, which leave in one chunk
	blocksAt   = 4  // once, before answers and events are looked at
)

// Publish publishes, and returns when all was answered. Refused messages are
// no error: Verdict tells of them.
func (d *Driver) Publish(ctx context.Context, f Flow) error {
	d.first = d.clock()
	d.flow = flow{Flow: f, active: true, end: d.first + f.For, left: f.Count, due: math.MaxInt}
	if f.For == 0 {
		d.flow.end = math.MaxInt64
	}
	if f.Count == 0 {
		d.flow.left = math.MaxInt
	}
	if f.Rate > 0 {
		burst := max(f.Burst, 1)
		d.flow.Burst, d.flow.due = burst, burst
		if err := d.setTimer(time.Duration(float64(burst) * float64(time.Second) / f.Rate)); err != nil {
			return err
		}
	}
	if f.Stream {
		if err := d.beginStream(); err != nil {
			return err
		}
	}
	if err := d.pump(); err != nil {
		return err
	}
	err := d.run(ctx, func() bool { return !d.flow.active && len(d.free) == len(d.lanes) })
	d.flow.active = false
	if err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return d.setTimer(0)
}

// over reports whether nothing more is to be sent.
func (d *Driver) over() bool { return d.flow.left <= 0 || d.clock() >= d.flow.end }

// full reports whether as much is on its way as may be.
func (d *Driver) full() bool {
	return d.options.Window > 0 && d.expected > d.arrived && d.expected-d.arrived > uint64(d.options.Window)
}

// pump sends what may be sent now.
func (d *Driver) pump() error {
	f := &d.flow
	f.eager = false
	if f.active && f.Stream {
		return d.pumpStream()
	}
	for f.active && f.due > 0 && len(d.free) > 0 && !d.full() {
		if d.over() {
			f.active = false
			return nil
		}
		l := d.free[len(d.free)-1]
		d.free = d.free[:len(d.free)-1]
		if err := d.post(l, d.turn()); err != nil {
			return err
		}
		if f.Rate > 0 {
			f.due--
		}
	}
	f.active = f.active && !d.over()
	return nil
}

// turn returns whose turn it is.
func (d *Driver) turn() (topic int) {
	f := &d.flow
	topic = f.First + f.turn
	f.turn = (f.turn + 1) % f.Topics
	f.left--
	return topic
}

// most is how many messages may be due at once: as many as could be in
// flight. What cannot be sent in its time is not sent later.
func (f *flow) most(lanes int) int {
	if f.Stream {
		lanes = blockLines * blocksAt
	}
	return max(lanes, f.Burst)
}

// tick learns how many more messages are due.
func (d *Driver) tick() {
	var count [8]byte
	if n, err := unix.Read(d.timer, count[:]); err != nil || n != len(count) {
		return
	}
	ticks := int(binary.NativeEndian.Uint64(count[:]))
	f := &d.flow
	if !f.active {
		return
	}
	f.due += ticks * f.Burst
	if late := f.due - f.most(len(d.lanes)); late > 0 {
		f.due -= late
		f.unsent += uint64(late)
	}
}

// setTimer has the timer tick; never, if every is 0.
func (d *Driver) setTimer(every time.Duration) error {
	spec := unix.NsecToTimespec(int64(every))
	if err := unix.TimerfdSettime(d.timer, 0, &unix.ItimerSpec{Interval: spec, Value: spec}, nil); err != nil {
		return fmt.Errorf("set a timer: %w", err)
	}
	return nil
}

// beginStream sends the head of a stream.
func (d *Driver) beginStream() error {
	l := d.free[len(d.free)-1]
	d.free = d.free[:len(d.free)-1]
	l.busy, l.streams, l.lines = true, true, 0
	l.out = d.requests.stream.append(l.out[:0], uint32(d.flow.First), nil)
	l.rest = l.out
	d.flow.stream = l
	return d.push(l)
}

// pumpStream sends some more of a stream, and its end when that has come.
func (d *Driver) pumpStream() error {
	f, l := &d.flow, d.flow.stream
	for range blocksAt {
		if !l.streams { // it was answered, or failed
			f.active = false
			return nil
		}
		if len(l.rest) > 0 {
			return nil
		}
		if d.over() {
			f.active = false
			l.out = append(l.out[:0], "0\r\n\r\n"...)
			l.rest = l.out
			return d.push(l)
		}
		if f.due <= 0 || d.full() {
			return nil
		}
		if err := d.pushBlock(l); err != nil {
			return err
		}
	}
	f.eager = len(l.rest) == 0
	return nil
}

// pushBlock sends some lines as one chunk.
func (d *Driver) pushBlock(l *lane) error {
	const sizeRoom = 8
	out := append(l.out[:0], "00000000\r\n"...)
	lines := min(blockLines, d.flow.left, d.flow.due)
	if d.flow.Rate > 0 {
		d.flow.due -= lines
	}
	for range lines {
		topic := d.turn()
		l.mark(d, topic)
		l.lines++
		out = d.requests.line.append(out, uint32(topic), l.payload)
	}
	size := strconv.FormatInt(int64(len(out)-sizeRoom-2), 16)
	copy(out[sizeRoom-len(size):], size)
	l.out = append(out, "\r\n"...)
	l.rest = l.out
	return d.push(l)
}
