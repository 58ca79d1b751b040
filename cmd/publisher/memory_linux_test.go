package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestPipeMemory pipes an input without end to a hub that is away: what the
// command holds of it is bounded.
func TestPipeMemory(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in := &endless{line: strings.Repeat("x", 64<<10) + "\n"}
	var errs bytes.Buffer
	// By this name the test's program is the command; see TestMain.
	command := &exec.Cmd{Path: self, Args: []string{"publisher", "--url", "http://127.0.0.1:1", "pipe", "t", "--patience", "3s"},
		Stdin: in, Stderr: &errs}
	err = command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exitUnavailable {
		t.Fatalf("%v: %s", err, &errs)
	}
	usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("the system does not tell what a process used")
	}
	if used := usage.Maxrss >> 10; used > 300 { // as much as it is because of the race detector
		t.Errorf("it used %d MiB; it read %d MiB", used, in.read>>20)
	}
}

// endless repeats a line.
type endless struct {
	line string
	at   int
	read int64
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.line[e.at:])
	e.at = (e.at + n) % len(e.line)
	e.read += int64(n)
	return n, nil
}

var _ io.Reader = (*endless)(nil)
