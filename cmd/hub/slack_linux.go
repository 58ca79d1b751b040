package main

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// slack is how much later than asked for the kernel may wake the process. Go's
	// runtime has a thread that looks after the others, for some milliseconds after
	// each rest every 20 µs, and each time it takes the processor from the one that
	// writes to sockets: with 1,000 subscribers, that was a tenth of all. Nothing
	// here is timed so finely.
	slack = time.Millisecond
	// relaxed marks a process that has been started again for it.
	relaxed = "TICKERTAPE_RELAXED"
)

// relax starts the program again, in the same process, with that slack. Threads
// have it from the one that starts them, and the runtime's was there before any of
// our code; but it outlives execve (prctl(2), PR_SET_TIMERSLACK). Whoever starts the
// hub with as much, as by systemd's TimerSlackNSec=, has it at once. Where it
// cannot be had, the hub goes on without it.
func relax() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || before >= int(slack) || os.Getenv(relaxed) != "" {
		return
	}
	program, err := os.Executable()
	if err != nil || unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0) != nil {
		return
	}
	if syscall.Exec(program, os.Args, append(os.Environ(), relaxed+"=1")) != nil {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0)
	}
}
