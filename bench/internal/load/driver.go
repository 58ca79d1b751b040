//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"tickertape/bench/internal/histogram"
)

// Options say what a Driver is for.
type Options struct {
	Target Target
	Topics int // topics are numbered from 0
	Lanes  int // publishes in flight at most, up to 256
	Size   int // of a message, in bytes, at least wire.MarkSize
	Window int // deliveries on their way at most, beyond which nothing is published; 0: any
}

// Driver drives one server. It belongs to one goroutine; what it does it does
// inside its methods. They end early when their context does.
type Driver struct {
	options  Options
	requests requests
	server   netip.AddrPort
	started  time.Time

	epoll, timer int
	events       []unix.EpollEvent
	buffer       []byte

	subscribers []*subscriber
	current     *subscriber // whose bytes are being read
	take        func(data []byte)
	now         time.Duration // when they came
	listeners   []int         // of each topic
	waiting     int           // subscribers without an answer

	lanes   []*lane
	free    []*lane
	flow    flow
	sent    [][]uint32 // of each topic, each lane's next number
	refused []uint64   // of each topic, messages that the server did not take

	latency  histogram.Histogram
	expected uint64 // deliveries
	arrived  uint64
	first    time.Duration // when publishing began
	last     time.Duration // when a delivery arrived
	taken    uint64        // messages that the server took
	refusals uint64
	cut      uint64 // connections that the server ended
	trouble  error  // the first that was met
}

const (
	batch  = 128       // events that one look at the epoll returns
	chunk  = 256 << 10 // read at once
	glance = 100 * time.Millisecond
)

// New returns a driver that is connected as its publishers.
func New(o Options) (_ *Driver, err error) {
	server, err := netip.ParseAddrPort(o.Target.Addr)
	if err != nil || !server.Addr().Is4() {
		return nil, fmt.Errorf("%q is not an IPv4 address and a port: %w", o.Target.Addr, err)
	}
	d := &Driver{
		options: o, requests: newRequests(o.Target), server: server, started: time.Now(),
		epoll: -1, timer: -1, events: make([]unix.EpollEvent, batch), buffer: make([]byte, chunk),
		listeners: make([]int, o.Topics), refused: make([]uint64, o.Topics), sent: make([][]uint32, o.Topics),
	}
	d.take = d.deliver
	for i := range d.sent {
		d.sent[i] = make([]uint32, o.Lanes)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("open an epoll: %w", err)
	}
	if d.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("open a timer: %w", err)
	}
	if err := d.watch(d.timer, unix.EPOLLIN, aTimer, 0); err != nil {
		return nil, err
	}
	for i := range o.Lanes {
		l := &lane{number: i, fd: -1}
		if err := d.connect(l); err != nil {
			return nil, err
		}
		d.lanes, d.free = append(d.lanes, l), append(d.free, l)
	}
	return d, nil
}

// Close resets all connections.
func (d *Driver) Close() error {
	d.Leave()
	var errs []error
	for _, l := range d.lanes {
		errs = append(errs, l.close())
	}
	d.lanes, d.free = nil, nil
	for _, fd := range []*int{&d.timer, &d.epoll} {
		if *fd >= 0 {
			errs = append(errs, unix.Close(*fd))
		}
		*fd = -1
	}
	return errors.Join(errs...)
}

// clock returns the time since the driver began.
func (d *Driver) clock() time.Duration { return time.Since(d.started) }

// run handles what comes until done says so.
func (d *Driver) run(ctx context.Context, done func() bool) error {
	for ctx.Err() == nil {
		if done() {
			return nil
		}
		wait := glance
		if d.flow.eager {
			wait = 0
		}
		if err := d.poll(wait); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// poll waits for something to come, but not longer than wait, and handles it.
func (d *Driver) poll(wait time.Duration) error {
	n, err := unix.EpollWait(d.epoll, d.events, int(wait/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("wait for sockets: %w", err)
	}
	for _, e := range d.events[:max(n, 0)] {
		switch number := int(e.Fd); kind(e.Pad) {
		case aSubscriber:
			d.hear(d.subscribers[number], e.Events)
		case aLane:
			d.attend(d.lanes[number], e.Events)
		case aTimer:
			d.tick()
		}
	}
	return d.pump()
}

// note remembers what went wrong first.
func (d *Driver) note(format string, args ...any) {
	if d.trouble == nil {
		d.trouble = fmt.Errorf(format, args...)
	}
}
