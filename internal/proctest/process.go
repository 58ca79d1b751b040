// Package proctest runs programs for tests: servers that can be frozen and
// killed, and that end with the test even if its process is killed.
package proctest

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// Process is a running program. Its own goroutine starts it and waits for it.
// Its methods may be called by any goroutine.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it is dead and its goroutine is done
}

// Start starts a program that does not outlive this process. The command is
// the Process' own from now on. Files that it writes to may be closed when
// Start returns; for any other writer, Ended waits until all is written.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	go func() {
		defer close(p.ended)
		// To Linux the parent is the thread that started the program.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // a killed program is no news
		}
	}()
	if err := <-started; err != nil {
		<-p.ended
		return nil, err
	}
	return p, nil
}

// ID is the process' number.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Ended is closed when the program is dead.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Status returns the exit status of a program that has ended: -1 if a signal
// killed it.
func (p *Process) Status() int {
	<-p.ended
	return p.cmd.ProcessState.ExitCode()
}

// Signal sends a signal to the program. It fails if that has ended.
func (p *Process) Signal(signal os.Signal) error { return p.cmd.Process.Signal(signal) }

// Kill ends the program, if it still runs, frozen or not, and waits until it
// is dead.
func (p *Process) Kill() error {
	if err := p.Signal(os.Kill); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// lookAgain is the pause between two looks at whether a program stands.
const lookAgain = 10 * time.Millisecond

// Stop freezes the program: its connections stay, and nothing answers. It
// returns when the program stands.
func (p *Process) Stop() error {
	if err := p.Signal(stopSignal); err != nil {
		return err
	}
	for !stopped(p.ID()) {
		time.Sleep(lookAgain)
	}
	return nil
}

// Cont lets a frozen program go on.
func (p *Process) Cont() error { return p.Signal(contSignal) }
