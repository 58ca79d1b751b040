//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"tickertape/bench/internal/check"
	"tickertape/bench/internal/wire"
)

// subscriber is one connection that listens to one topic.
type subscriber struct {
	fd       int // -1 when it is closed
	topic    int
	answered bool
	events   wire.Events
	tally    check.Tally
}

// crowd is how many subscribers may wait for their answers at once: servers
// let no more queue up.
const crowd = 400

// Cursor is a place in a topic.
type Cursor struct {
	id   string
	sent []uint32 // each lane's next number there
}

// Subscribe opens n streams, the i-th of the topic that topic(i) says, and
// returns when all have been answered. It fails if one is not.
func (d *Driver) Subscribe(ctx context.Context, n int, topic func(i int) int) error {
	for i := range n {
		t := topic(i)
		if err := d.join(ctx, t, Cursor{sent: d.sent[t]}); err != nil {
			return err
		}
	}
	return d.greeted(ctx)
}

// Resume opens n streams of a topic that begin behind the cursor, and returns
// when all have been answered.
func (d *Driver) Resume(ctx context.Context, n, topic int, from Cursor) error {
	for _, next := range d.sent[topic] {
		d.expected += uint64(next) * uint64(n)
	}
	for _, next := range from.sent {
		d.expected -= uint64(next) * uint64(n)
	}
	for range n {
		if err := d.join(ctx, topic, from); err != nil {
			return err
		}
	}
	return d.greeted(ctx)
}

// join opens a stream, and waits while many others have no answer yet.
func (d *Driver) join(ctx context.Context, topic int, from Cursor) error {
	number := len(d.subscribers)
	fd, err := dial(d.server, number)
	if err != nil {
		return fmt.Errorf("subscriber %d: %w", number, err)
	}
	s := &subscriber{fd: fd, topic: topic, tally: check.NewTally(uint32(topic), from.sent)}
	d.subscribers = append(d.subscribers, s)
	d.listeners[topic]++
	d.waiting++
	request := d.requests.events.append(nil, uint32(topic), nil)
	if from.id != "" {
		request = append(request, "Last-Event-ID: "+from.id+"\r\n"...)
	}
	rest, err := write(fd, append(request, "\r\n"...))
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("subscriber %d: its request was not taken: %w", number, err)
	}
	if err := d.watch(fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET, aSubscriber, number); err != nil {
		return err
	}
	if err := d.poll(0); err != nil {
		return err
	}
	return d.run(ctx, func() bool { return d.waiting < crowd })
}

// greeted waits until all streams have been answered.
func (d *Driver) greeted(ctx context.Context) error {
	if err := d.run(ctx, func() bool { return d.waiting == 0 }); err != nil {
		return fmt.Errorf("%d of %d subscribers have no answer: %w", d.waiting, len(d.subscribers), err)
	}
	if d.cut > 0 {
		return fmt.Errorf("%d subscribers were sent away: %w", d.cut, d.trouble)
	}
	return nil
}

// hear reads what a subscriber got. The epoll tells of each change once: so
// all is read that was there.
func (d *Driver) hear(s *subscriber, events uint32) {
	for s.fd >= 0 { // it may be closed by what came before in the same batch
		p, err := d.read(s.fd)
		if err == nil {
			err = d.feed(s, p)
		}
		if err != nil {
			d.lose(s, err)
			return
		}
		ends := events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
		if len(p) == 0 || len(p) < len(d.buffer) && !ends {
			return
		}
	}
}

// feed reads some bytes of a subscriber's.
func (d *Driver) feed(s *subscriber, p []byte) error {
	d.current, d.now = s, d.clock()
	if err := s.events.Feed(p, d.take); err != nil {
		return err
	}
	if !s.answered && s.events.Status != 0 {
		s.answered = true
		d.waiting--
		if s.events.Status != 200 {
			return fmt.Errorf("status %d", s.events.Status)
		}
	}
	if s.events.Ended() {
		return errClosed
	}
	return nil
}

// lose closes a subscriber whose connection the server has ended.
func (d *Driver) lose(s *subscriber, reason error) {
	d.note("a subscriber: %w", reason)
	d.cut++
	if !s.answered {
		d.waiting--
	}
	d.drop(s)
}

// deliver counts a line of data.
func (d *Driver) deliver(data []byte) {
	mark, found, err := wire.FindMark(data)
	t := &d.current.tally
	if err != nil {
		t.Foreign++
		return
	}
	if !found {
		return
	}
	before := t.Got
	t.Take(mark.Topic, int(mark.Lane), mark.Number)
	if t.Got != before {
		d.arrived++
		d.last = d.now
		d.latency.Add(d.now - time.Duration(mark.Stamp))
	}
}

// drop closes a subscriber's connection.
func (d *Driver) drop(s *subscriber) {
	if s.fd < 0 {
		return
	}
	if err := unix.Close(s.fd); err != nil {
		d.note("close a subscriber: %w", err)
	}
	s.fd = -1
	d.listeners[s.topic]--
}

// Leave resets all subscribers' connections, and forgets what they got.
func (d *Driver) Leave() {
	for _, s := range d.subscribers {
		d.drop(s)
	}
	d.subscribers = nil
	d.expected, d.arrived, d.cut = 0, 0, 0
}

var errNoID = errors.New("its events have no ids")

// Cursor publishes a message to a topic without subscribers and returns the
// place behind it.
func (d *Driver) Cursor(ctx context.Context, topic int) (Cursor, error) {
	defer d.Leave()
	if err := d.Subscribe(ctx, 1, func(int) int { return topic }); err != nil {
		return Cursor{}, err
	}
	if err := d.Publish(ctx, Flow{First: topic, Topics: 1, Count: 1}); err != nil {
		return Cursor{}, err
	}
	if err := d.Settle(ctx); err != nil {
		return Cursor{}, err
	}
	id := string(d.subscribers[0].events.ID())
	if d.arrived == 0 || id == "" {
		return Cursor{}, fmt.Errorf("no cursor: %w", errNoID)
	}
	return Cursor{id: id, sent: append([]uint32(nil), d.sent[topic]...)}, nil
}
