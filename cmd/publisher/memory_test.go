package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPipeMemory pipes an input without end to a hub that takes nothing: it
// takes no more of it than it may hold.
func TestPipeMemory(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The kernel takes connections, and nobody asks for them.
	hub, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	in := &endless{line: strings.Repeat("x", 64<<10) + "\n"}
	var errs bytes.Buffer
	// By this name the test's program is the command; see TestMain.
	command := &exec.Cmd{Path: self, Args: []string{"publisher", "--url", "http://" + hub.Addr().String(), "pipe", "t", "--patience", "3s"},
		Stdin: in, Stderr: &errs}
	err = command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exitUnavailable {
		t.Fatalf("%v: %s", err, &errs)
	}
	if in.read > 8<<20 {
		t.Errorf("it took %d MiB of which the hub took nothing", in.read>>20)
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
