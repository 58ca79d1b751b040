package torture

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tickertape/internal/proctest"
)

// logTail is how much of a program's log a failed run shows, in bytes.
const logTail = 4 << 10

// program is a server that can be ended and started again. Its methods fail
// the test on any error; they are for the test's own goroutine.
type program struct {
	t       testing.TB
	name    string
	command func() *exec.Cmd
	log     string
	process *proctest.Process // nil while it is down
}

// newProgram returns a program that does not run yet. It ends with the test.
func newProgram(t testing.TB, name string, command func() *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, name: name, command: command, log: filepath.Join(t.TempDir(), "log")}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the log of %s:\n%s", p.name, p.tail())
		}
	})
	return p
}

// launch starts the program, without waiting for anything.
func (p *program) launch() {
	p.t.Helper()
	output, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := p.command()
	cmd.Stdout, cmd.Stderr = output, output
	p.process, err = proctest.Start(cmd)
	if err := errors.Join(err, output.Close()); err != nil { // the program has its own
		p.t.Fatalf("start %s: %v", p.name, err)
	}
}

// over reports whether the program has ended.
func (p *program) over() bool {
	if p.process == nil {
		return true
	}
	select {
	case <-p.process.Ended():
		return true
	default:
		return false
	}
}

// Status returns the exit status of a program that has ended by itself.
func (p *program) Status() int {
	p.t.Helper()
	if p.process == nil || !p.over() {
		p.t.Fatalf("%s has not ended by itself", p.name)
	}
	return p.process.Status()
}

// Kill ends the program as a crash does, and returns when it is dead. Killing
// a dead one does nothing.
func (p *program) Kill() {
	p.t.Helper()
	if p.process != nil {
		p.do("kill", (*proctest.Process).Kill)
	}
	p.process = nil
}

// Stop freezes the program: its connections stay, and nothing answers.
func (p *program) Stop() {
	p.t.Helper()
	p.do("stop", (*proctest.Process).Stop)
}

// Cont lets a frozen program go on.
func (p *program) Cont() {
	p.t.Helper()
	p.do("cont", (*proctest.Process).Cont)
}

// Term asks the program to end, and does not wait.
func (p *program) Term() {
	p.t.Helper()
	p.do("term", func(x *proctest.Process) error { return x.Signal(syscall.SIGTERM) })
}

func (p *program) do(what string, do func(*proctest.Process) error) {
	p.t.Helper()
	if p.process == nil {
		p.t.Fatalf("%s %s: it is down", what, p.name)
	}
	if err := do(p.process); err != nil {
		p.t.Fatalf("%s %s: %v", what, p.name, err)
	}
}

// tail returns the end of the program's log, without what hubs say of each
// stream.
func (p *program) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	var said strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "stream ended") {
			said.WriteString(line)
		}
	}
	return said.String()[max(0, said.Len()-logTail):]
}
