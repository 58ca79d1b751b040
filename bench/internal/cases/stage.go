//go:build linux

package cases

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"tickertape/bench/internal/load"
	"tickertape/bench/internal/server"
)

// Size says how much of a case is measured.
type Size struct {
	Time  time.Duration // of one measurement
	Share float64       // of connections and topics; 1: all
}

// of returns the share of a number, at least some.
func (s Size) of(n int) int { return max(min(n, 2), int(float64(n)*s.Share)) }

// stage is where a case measures one server.
type stage struct {
	start  func(context.Context) (*server.Server, error)
	server *server.Server // nil before its start
	size   Size
	wrong  load.Verdict // in all of its measurements
}

// renew ends the server, if it runs, and starts it anew.
func (s *stage) renew(ctx context.Context) error {
	err := s.end()
	if err == nil {
		s.server, err = s.start(ctx)
	}
	return err
}

func (s *stage) end() error {
	if s.server == nil {
		return nil
	}
	server := s.server
	s.server = nil
	return server.End()
}

var errUnknown = errors.New("nothing but its CPU and memory is asked here, and its process is not known")

// known fails if the server's process is not known.
func (s *stage) known() error {
	if s.server.Known() {
		return nil
	}
	return errUnknown
}

// drive connects publishers to the server.
func (s *stage) drive(topics, lanes, window int) (*load.Driver, error) {
	return load.New(load.Options{Target: s.server.Target, Topics: topics, Lanes: lanes, Size: messageSize, Window: window})
}

// messageSize is that of all messages, in bytes.
const messageSize = 128

// outcome is what a measurement showed.
type outcome struct {
	load.Count
	server.Usage
	after server.Usage // at the end
	busy  float64      // share of its time that the tool itself worked
}

// perDelivery returns the server's CPU per delivery in microseconds.
func (o outcome) perDelivery() float64 { return micros(o.CPU, o.Deliveries) }

// rate returns deliveries a second.
func (o outcome) rate() float64 { return float64(o.Deliveries) / o.Span.Seconds() }

func micros(d time.Duration, n uint64) float64 {
	return float64(d) / float64(time.Microsecond) / float64(max(n, 1))
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// watch measures what work takes.
func (s *stage) watch(work func() error) (o outcome, err error) {
	tool, err := ownCPU()
	if err != nil {
		return o, err
	}
	before, err := s.server.Usage()
	if err != nil {
		return o, err
	}
	began := time.Now()
	if err := work(); err != nil {
		return o, err
	}
	after, err := s.server.Usage()
	if err != nil {
		return o, err
	}
	took := time.Since(began)
	spent, err := ownCPU()
	o.Usage, o.after, o.busy = after.Since(before), after, (spent-tool).Seconds()/took.Seconds()
	return o, err
}

// publish measures a flow to the driver's subscribers, after a shorter one
// that warms the server up.
func (s *stage) publish(ctx context.Context, d *load.Driver, f load.Flow) (outcome, error) {
	warm := f
	warm.For /= 5
	if err := errors.Join(d.Publish(ctx, warm), d.Settle(ctx)); err != nil {
		return outcome{}, fmt.Errorf("warming up: %w", err)
	}
	d.Begin()
	o, err := s.watch(func() error {
		if err := d.Publish(ctx, f); err != nil {
			return err
		}
		return d.Settle(ctx)
	})
	o.Count = d.Count()
	s.wrong = s.wrong.Add(d.Verdict())
	if err == nil && s.server.HasRedis() && o.Redis == 0 && o.Taken >= manyMessages {
		err = errNoRedis
	}
	return o, err
}

// manyMessages are so many that Redis cannot take them in no time.
const manyMessages = 10_000

var errNoRedis = errors.New("its Redis took no time: it is not used")

// ownCPU returns the CPU time that this process has taken.
func ownCPU() (time.Duration, error) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("own CPU time: %w", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}

// pause waits, so that a server comes to rest.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// explain adds what the server did wrong to an error.
func (s *stage) explain(err error) error {
	if wrong := s.wrong.String(); wrong != "" {
		return fmt.Errorf("%w (%s)", err, wrong)
	}
	return err
}
