//go:build unix

package main

import (
	"math"

	"golang.org/x/sys/unix"
)

// maxOpenFiles returns how many files the process may have open. A node that
// ran into that limit would leave its clients waiting; one that knows it sends
// them away until later.
func maxOpenFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt32
	}
	return int(min(limit.Cur, math.MaxInt32))
}
