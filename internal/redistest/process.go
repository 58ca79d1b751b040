package redistest

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
)

// process is a running program. Its own goroutine starts it and waits for it.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it is dead and its goroutine is done
}

// spawn starts a program that does not outlive this process. All that it
// writes goes to the file, which may be closed then.
func spawn(output *os.File, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = output, output
	p.cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	go func() {
		defer close(p.ended)
		// To Linux the parent is the thread that started the program.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // a killed program is no news
		}
	}()
	return p, <-started
}

func (p *process) id() int { return p.cmd.Process.Pid }

// kill ends the program, if it still runs, and waits until it is dead.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}
