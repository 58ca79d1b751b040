package loop

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller is an epoll for which the runtime's own poller waits.
type poller struct {
	file *os.File
	raw  syscall.RawConn
	fd   int
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // which only those have that can be waited for
	}
	if err != nil {
		_ = p.file.Close()
		return nil, fmt.Errorf("waiting for an epoll: %w", err)
	}
	return p, nil
}

// watch begins or changes the watch over the connection.
func (p *poller) watch(c *Conn, op int, more uint32) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET | more, Fd: int32(c.id.place), Pad: int32(c.id.turn)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, int(c.fd), &event))
}

// run hands over what the epoll has to say until it is closed.
func (p *poller) run(b *inbox) {
	var events [128]unix.EpollEvent
	for {
		n := 0
		err := p.raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events[:], 0)
			return n > 0
		})
		if err != nil {
			return
		}
		b.order(func(m *mail) {
			for _, e := range events[:n] {
				m.words = append(m.words, word{id{uint32(e.Fd), uint32(e.Pad)}, e.Events})
			}
		})
	}
}
