//go:build unix

package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// limitFiles lets the process have no more files open than TEST_FILES says.
func limitFiles() {
	text := os.Getenv("TEST_FILES")
	if text == "" {
		return
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err == nil {
		err = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: n})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "TEST_FILES:", err)
		os.Exit(2)
	}
}
