//go:build unix && !linux

package proctest

import "syscall"

const (
	stopSignal = syscall.SIGSTOP
	contSignal = syscall.SIGCONT
)

// dieWithParent can only keep the program in the terminal's process group,
// where an interrupted test takes it along.
func dieWithParent() *syscall.SysProcAttr { return nil }

// stopped reports whether a process stands; here the signal must do.
func stopped(int) bool { return true }
