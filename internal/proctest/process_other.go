//go:build !unix

package proctest

import "syscall"

// Signals that no process takes: Stop and Cont fail.
const (
	stopSignal = syscall.Signal(-1)
	contSignal = syscall.Signal(-1)
)

func dieWithParent() *syscall.SysProcAttr { return nil }

func stopped(int) bool { return true }
