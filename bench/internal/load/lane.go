//go:build linux

package load

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"tickertape/bench/internal/wire"
)

// lane is a publisher's connection: one message at a time, or one stream of
// them.
type lane struct {
	number   int
	fd       int
	busy     bool
	streams  bool   // its request is a stream that goes on
	lines    uint64 // messages of its request
	topic    int    // of the only one
	out      []byte
	rest     []byte // of out, which the socket has not taken
	payload  []byte
	response wire.Response
}

func (l *lane) close() error {
	if l.fd < 0 {
		return nil
	}
	fd := l.fd
	l.fd = -1
	return unix.Close(fd)
}

// connect opens a lane's connection, in place of the one that it had.
func (d *Driver) connect(l *lane) error {
	if err := l.close(); err != nil {
		return fmt.Errorf("close a publisher: %w", err)
	}
	fd, err := dial(d.server, l.number)
	if err != nil {
		return fmt.Errorf("publisher %d: %w", l.number, err)
	}
	l.fd = fd
	l.rest = nil
	l.response.Reset()
	return d.watch(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET, aLane, l.number)
}

// post sends a message on a free lane.
func (d *Driver) post(l *lane, topic int) error {
	l.mark(d, topic)
	l.busy, l.lines, l.topic = true, 1, topic
	r := &d.requests
	out := r.publish.append(l.out[:0], uint32(topic), nil)
	length := len(r.body.append(out, uint32(topic), l.payload)) - len(out)
	out = strconv.AppendInt(out, int64(length), 10)
	out = append(out, "\r\n\r\n"...)
	l.out = r.body.append(out, uint32(topic), l.payload)
	l.rest = l.out
	return d.push(l)
}

// mark makes the next payload of a topic, which counts as sent from now on.
func (l *lane) mark(d *Driver, topic int) {
	number := &d.sent[topic][l.number]
	m := wire.Mark{Lane: uint8(l.number), Topic: uint32(topic), Number: *number, Stamp: int64(d.clock())}
	l.payload = m.Append(l.payload[:0], d.options.Size)
	*number++
	d.expected += uint64(d.listeners[topic])
}

// push writes what a lane has to say as far as it goes. A lane that fails is
// opened anew; an error says that this is not possible either.
func (d *Driver) push(l *lane) error {
	var err error
	if l.rest, err = write(l.fd, l.rest); err != nil {
		return d.fail(l, err)
	}
	return nil
}

// attend does what a lane needs when its socket has changed.
func (d *Driver) attend(l *lane, events uint32) {
	err := d.hearAnswer(l)
	if err == nil && events&unix.EPOLLOUT != 0 {
		err = d.push(l)
	}
	if err != nil {
		d.note("%w", err)
	}
}

// hearAnswer reads until a lane's socket has no more.
func (d *Driver) hearAnswer(l *lane) error {
	for {
		p, err := d.read(l.fd)
		if err != nil {
			return d.fail(l, err)
		}
		if len(p) == 0 {
			return nil
		}
		for len(p) > 0 && !l.response.Ended() {
			if _, p, err = l.response.Next(p); err != nil {
				return d.fail(l, err)
			}
		}
		if l.response.Ended() {
			d.answered(l)
		}
	}
}

// answered counts a lane's answer and frees it.
func (d *Driver) answered(l *lane) {
	status := l.response.Status
	l.response.Reset()
	switch {
	case status/100 != 2:
		d.refuse(l, fmt.Errorf("status %d", status))
	case l.busy:
		d.taken += l.lines
	}
	d.release(l)
}

func (d *Driver) release(l *lane) {
	if l.busy {
		d.free = append(d.free, l)
	}
	l.busy, l.streams = false, false
}

// fail opens a lane anew.
func (d *Driver) fail(l *lane, reason error) error {
	if l.busy {
		d.refuse(l, reason)
	}
	d.release(l)
	return d.connect(l)
}

// refuse counts a message that the server may not have: nobody waits for it.
// Of a stream nobody knows how many these are: they count as lost.
func (d *Driver) refuse(l *lane, reason error) {
	d.note("a publish: %w", reason)
	d.refusals++
	if l.streams || !l.busy {
		return
	}
	d.refused[l.topic]++
	d.expected -= uint64(d.listeners[l.topic])
}
