//go:build unix

package proctest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tickertape/internal/proctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo starts a program that answers each line with itself.
func echo(t *testing.T) (p *proctest.Process, say io.Writer, answers *os.File) {
	t.Helper()
	cmd := exec.Command("cat")
	say, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, output, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answers.Close() })
	cmd.Stdout = output
	if p, err = proctest.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	if err := output.Close(); err != nil {
		t.Fatal(err)
	}
	return p, say, answers
}

// expect reads an answer, or sees that none comes for a while.
func expect(t *testing.T, answers *os.File, within time.Duration, want string) {
	t.Helper()
	if err := answers.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 10)
	n, err := answers.Read(got)
	if string(got[:n]) != want || want == "" && !os.IsTimeout(err) {
		t.Fatalf("got %q, %v; want %q", got[:n], err, want)
	}
}

const answerTime = 20 * time.Second

func TestStoppedProgramStandsStill(t *testing.T) {
	t.Parallel()
	p, say, answers := echo(t)
	_, _ = io.WriteString(say, "one\n")
	expect(t, answers, answerTime, "one\n")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(say, "two\n")
	expect(t, answers, 100*time.Millisecond, "")
	if err := p.Cont(); err != nil {
		t.Fatal(err)
	}
	expect(t, answers, answerTime, "two\n")
}

func TestKill(t *testing.T) {
	t.Parallel()
	p, _, _ := echo(t)
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more does nothing
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-p.Ended():
		default:
			t.Fatal("Kill returned before the program was dead")
		}
	}
	if err := p.Stop(); err == nil {
		t.Error("a dead program was stopped")
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": -1} {
		p, err := proctest.Start(exec.Command("sh", "-c", script))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Status(); got != want {
			t.Errorf("%s: %d, want %d", script, got, want)
		}
	}
}

func TestStartOfNothing(t *testing.T) {
	t.Parallel()
	if _, err := proctest.Start(exec.Command("./no-such-program")); err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("got %v", err)
	}
}

// Nobody listens on the address, unless somebody just began to.
func TestFreeAddr(t *testing.T) {
	t.Parallel()
	var failures []error
	for range 10 {
		addr, err := proctest.FreeAddr()
		if err == nil {
			var listener net.Listener
			if listener, err = net.Listen("tcp", addr); err == nil {
				_ = listener.Close()
				return
			}
		}
		failures = append(failures, err)
	}
	t.Error(errors.Join(failures...))
}
