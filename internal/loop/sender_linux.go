package loop

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sender writes slices to sockets as they lie.
type sender struct {
	iovecs [128]unix.Iovec
	header unix.Msghdr
}

// send writes until all is taken or the kernel has no room. It returns what is
// left, in the same array, and how many bytes were taken.
func (s *sender) send(fd int32, blocks [][]byte) (left [][]byte, taken int, err error) {
	for len(blocks) > 0 {
		n, errno := s.once(fd, blocks)
		switch errno {
		case 0:
			taken += n
			blocks = behind(blocks, n)
		case unix.EINTR:
		case unix.EAGAIN:
			return blocks, taken, nil
		default:
			return blocks, taken, os.NewSyscallError("send", errno)
		}
	}
	return nil, taken, nil
}

// The socket does not block, so neither does the call: the runtime need not hear
// of it. A client that has gone is no signal, but an error.
const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// once makes one system call.
func (s *sender) once(fd int32, blocks [][]byte) (int, syscall.Errno) {
	if len(blocks) == 1 {
		b := blocks[0]
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
		return int(n), errno
	}
	iovecs := s.iovecs[:min(len(blocks), len(s.iovecs))]
	for i := range iovecs {
		iovecs[i].Base = unsafe.SliceData(blocks[i])
		iovecs[i].SetLen(len(blocks[i]))
	}
	s.header.Iov = &iovecs[0]
	s.header.SetIovlen(len(iovecs))
	n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&s.header)), flags)
	clear(iovecs) // hold on to nothing
	return int(n), errno
}

// behind returns what follows the first n bytes of the blocks.
func behind(blocks [][]byte, n int) [][]byte {
	for len(blocks) > 0 && n >= len(blocks[0]) {
		n -= len(blocks[0])
		blocks = blocks[1:]
	}
	if n > 0 {
		blocks[0] = blocks[0][n:]
	}
	return blocks
}

// Duplicate returns another descriptor of the connection's socket, for Add. From
// then on nobody may write to the connection itself, and it is to be closed soon.
// What it has read, the loop does not hear of.
func Duplicate(c syscall.Conn) (fd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(own uintptr) {
		fd, failed = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err == nil {
		err = os.NewSyscallError("fcntl", failed)
	}
	return fd, err
}
