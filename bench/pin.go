//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// pin has this program run on one core alone; -1: on any. Threads keep the
// cores that they began with, so the program begins anew.
func pin(core int) error {
	if core < 0 {
		return nil
	}
	var now, want unix.CPUSet
	want.Set(core)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedGetaffinity(0, &now); err != nil {
		return fmt.Errorf("own cores: %w", err)
	}
	if now == want {
		return nil
	}
	if err := unix.SchedSetaffinity(0, &want); err != nil {
		return fmt.Errorf("run on core %d (--tool-core and --server-core choose others, -1 all): %w", core, err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return fmt.Errorf("begin anew: %w", unix.Exec(self, os.Args, os.Environ()))
}
