//go:build unix

package main_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// buildTime is how long "go run" may take to build and start the hub,
	// with nothing built before.
	buildTime = 5 * time.Minute
	// endTime is how long the hub may take to end.
	endTime = 30 * time.Second
)

// runningHub is a hub that the README's first command started.
type runningHub struct {
	url string
	log hubLog
}

// startHub starts the hub by "go run", on a free port. It ends with the test,
// in order, with all its processes.
func startHub(t *testing.T) *runningHub {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "go", "run", "./cmd/hub")
	cmd.Dir = "../.."
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HUB_") }),
		"HUB_ADDR=127.0.0.1:0", "HUB_ADMIN_ADDR=127.0.0.1:0")
	// The hub is a child of "go run": both are ended as one group, by the
	// signal that a terminal's Ctrl-C sends. "go run" passes no other on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = endTime
	hub := &runningHub{log: hubLog{listening: make(chan string, 1)}}
	cmd.Stderr = &hub.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		err := <-ended // within endTime
		// Nothing may be left of the group, whatever happened.
		if left := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); !errors.Is(left, syscall.ESRCH) {
			t.Errorf("processes of the hub were left: %v", left)
		}
		if !strings.Contains(hub.log.String(), "ended in order") {
			t.Errorf("the hub did not end in order: %v\n%s", err, hub.log.String())
		}
	})
	select {
	case hub.url = <-hub.log.listening:
	case err := <-ended:
		ended <- err
		t.Fatalf("go run: %v\n%s", err, hub.log.String())
	case <-time.After(buildTime):
		t.Fatalf("the hub does not listen\n%s", hub.log.String())
	}
	// Streams that come before it is ready are told to come back.
	ready := func() bool { status, _ := answered(http.Get(hub.url + "/readyz")); return status == http.StatusOK }
	for limit := time.Now().Add(endTime); !ready(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("the hub is not ready\n%s", hub.log.String())
		}
	}
	return hub
}

// hubLog is what the hub writes to its standard error. It hands out the
// address as soon as the hub has logged it.
type hubLog struct {
	listening chan string

	mu   sync.Mutex
	text bytes.Buffer
	told bool
}

var listensOn = regexp.MustCompile(`Tickertape listens on (https?://[0-9.:]+);`)

func (l *hubLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.text.Write(b)
	if m := listensOn.FindSubmatch(l.text.Bytes()); m != nil && !l.told {
		l.told = true
		l.listening <- string(m[1])
	}
	return n, err
}

func (l *hubLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
