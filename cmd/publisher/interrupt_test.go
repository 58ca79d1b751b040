package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tickertape/internal/event"
)

// interrupts CODE CONDITION COMMAND... runs a command, whose standard input
// begins with the file "input" and never ends, sends it SIGINT when the
// condition holds, and checks its exit code. A condition is topic=N, that the
// hub holds so many messages of the topic, or else a text on the command's
// standard error. What the command wrote is in the files out and err.
func interrupts(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: interrupts CODE CONDITION COMMAND...")
	}
	out, err := os.Create(ts.MkAbs("out"))
	ts.Check(err)
	defer out.Close()
	errs, err := os.Create(ts.MkAbs("err"))
	ts.Check(err)
	defer errs.Close()
	in, write, err := os.Pipe()
	ts.Check(err)
	defer write.Close()
	if input, err := os.ReadFile(ts.MkAbs("input")); err == nil {
		_, err = write.Write(input)
		ts.Check(err)
	}
	command := exec.Command(lookPath(ts, args[2]), args[3:]...)
	command.Dir, command.Stdin, command.Stdout, command.Stderr = ts.MkAbs("."), in, out, errs
	command.Env = environ(ts)
	ts.Check(command.Start())
	_ = in.Close()
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	defer func() {
		_ = command.Process.Kill()
		<-ended
	}()
	awaitCondition(ts, args[1], errs.Name())
	ts.Check(command.Process.Signal(os.Interrupt))
	select {
	case err := <-ended:
		ended <- err
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			ts.Fatalf("%v", err)
		} else if code := codeOf(exit); strconv.Itoa(code) != args[0] {
			ts.Fatalf("exit code %d, want %s:\n%s", code, args[0], ts.ReadFile("err"))
		}
	case <-time.After(patience):
		ts.Fatalf("it does not end:\n%s", ts.ReadFile("err"))
	}
}

// patience is how long a script waits for what must come.
const patience = 60 * time.Second

func codeOf(exit *exec.ExitError) int {
	if exit == nil {
		return 0
	}
	return exit.ExitCode()
}

func awaitCondition(ts *testscript.TestScript, condition, errs string) {
	topic, count, isTopic := strings.Cut(condition, "=")
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for late := time.After(patience); ; {
		if isTopic {
			info, _, err := hubsOf(ts).node.Bus.Topic(context.Background(), event.Topic(topic))
			ts.Check(err)
			if n, err := strconv.Atoi(count); err == nil && info.Retained >= n {
				return
			}
		} else if content, err := os.ReadFile(errs); err == nil && strings.Contains(string(content), condition) {
			return
		}
		select {
		case <-look.C:
		case <-late:
			ts.Fatalf("it did not come to %s:\n%s", condition, ts.ReadFile("err"))
		}
	}
}

func lookPath(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	ts.Fatalf("%s is not in PATH", name)
	return ""
}

func environ(ts *testscript.TestScript) []string {
	env := os.Environ()
	for _, name := range []string{"PATH", "HUB_URL", "HOME", "XDG_CACHE_HOME", "TZ", "GORACE"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// TestInterruptedRead reads what comes until its context ends, and is not held
// up by a read that never returns.
func TestInterruptedRead(t *testing.T) {
	t.Parallel()
	in, write := io.Pipe()
	defer write.Close() // lets the reading goroutine end
	ctx, cancel := context.WithCancel(t.Context())
	r := interruptible(ctx, in)
	if _, err := io.WriteString(write, "first"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, err := r.Read(buf); string(buf[:n]) != "first" || err != nil {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	cancel()
	if n, err := r.Read(buf); n != 0 || !errors.Is(err, context.Canceled) {
		t.Fatalf("%q, %v", buf[:n], err)
	}
}
