package torture

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// trial is a test's T whose failure is a result: it lets a run that cannot go
// on be a row of the table, and ends all that the run has started.
type trial struct {
	testing.TB
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	said     []string // what failed
	log      strings.Builder
	cleanups []func()
}

// try runs the function as a test of its own and returns what failed, and
// what was logged.
func try(t testing.TB, run func(testing.TB)) (said []string, log string) {
	x := &trial{TB: t}
	x.ctx, x.cancel = context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer x.end()
		run(x)
	}()
	<-done
	return x.said, x.log.String()
}

// end runs the cleanups, the last one first, each of which may fail.
func (x *trial) end() {
	x.cancel()
	x.mu.Lock()
	n := len(x.cleanups) - 1
	if n < 0 {
		x.mu.Unlock()
		return
	}
	last := x.cleanups[n]
	x.cleanups = x.cleanups[:n]
	x.mu.Unlock()
	defer x.end()
	last()
}

// Cleanup and all that follow are as testing.TB says.
func (x *trial) Cleanup(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cleanups = append(x.cleanups, f)
}

func (x *trial) Context() context.Context { return x.ctx }

func (x *trial) Logf(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	fmt.Fprintf(&x.log, format+"\n", args...)
}

func (x *trial) Log(args ...any) { x.Logf("%s", fmt.Sprint(args...)) }

func (x *trial) Errorf(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.said = append(x.said, fmt.Sprintf(format, args...))
}

func (x *trial) Error(args ...any) { x.Errorf("%s", fmt.Sprint(args...)) }
func (x *trial) Fail()             { x.Errorf("it failed") }

func (x *trial) FailNow() {
	x.Fail()
	runtime.Goexit()
}

func (x *trial) Fatalf(format string, args ...any) {
	x.Errorf(format, args...)
	runtime.Goexit()
}

func (x *trial) Fatal(args ...any) { x.Fatalf("%s", fmt.Sprint(args...)) }

func (x *trial) Failed() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.said) > 0
}

func (x *trial) TempDir() string {
	dir, err := os.MkdirTemp(x.TB.TempDir(), "")
	if err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			x.Error(err)
		}
	})
	return dir
}
