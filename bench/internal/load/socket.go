//go:build linux

package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// answerTime is how long a server may take to accept a connection.
	answerTime = 10 * time.Second
	// sources is over how many addresses of this machine connections are
	// spread: each has some 28,000 ports.
	sources = 8
)

// dial returns a connected socket that does not block from then on. Closing
// it resets the connection: thousands would linger otherwise.
func dial(to netip.AddrPort, number int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open a socket: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unix.Close(fd))
		}
	}()
	limit := unix.NsecToTimeval(int64(answerTime))
	if err := errors.Join(
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
	); err != nil {
		return fd, fmt.Errorf("prepare a socket: %w", err)
	}
	if to.Addr().IsLoopback() {
		from := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + number%sources)}}
		if err := errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
			unix.Bind(fd, from),
		); err != nil {
			return fd, fmt.Errorf("choose a source address: %w", err)
		}
	}
	server := &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	err = unix.Connect(fd, server)
	for errors.Is(err, unix.EINTR) { // it goes on; this waits for its end
		err = unix.Connect(fd, server)
	}
	if err != nil && !errors.Is(err, unix.EISCONN) {
		return fd, fmt.Errorf("connect: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return fd, fmt.Errorf("prepare a socket: %w", err)
	}
	return fd, nil
}

// kind says what an epoll event is about; the number beside it, which one.
type kind int32

const (
	aSubscriber kind = iota
	aLane
	aTimer
)

// watch has the epoll report a descriptor.
func (d *Driver) watch(fd int, events uint32, k kind, number int) error {
	e := unix.EpollEvent{Events: events, Fd: int32(number), Pad: int32(k)}
	if err := unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

// read reads what has come. It returns nothing if nothing has, and an error
// at the end.
func (d *Driver) read(fd int) ([]byte, error) {
	n, err := unix.Read(fd, d.buffer)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read: %w", err)
	case n == 0:
		return nil, errClosed
	}
	return d.buffer[:n], nil
}

var errClosed = errors.New("the server closed the connection")

// write writes some of p, and returns what is left.
func write(fd int, p []byte) ([]byte, error) {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return p, nil
		case err != nil:
			return nil, fmt.Errorf("write: %w", err)
		default:
			p = p[n:]
		}
	}
	return nil, nil
}
