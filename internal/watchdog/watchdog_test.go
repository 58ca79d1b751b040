package watchdog_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/watchdog"
)

// TestOnlyWaitingCounts has a reader who takes longer over what came than the
// watchdog lets it wait. Only when nothing comes is it cancelled.
func TestOnlyWaitingCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dead := errors.New("dead")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		dog := watchdog.New(time.Minute, cancel, dead)
		defer dog.Stop()
		from, to := io.Pipe()
		guarded := dog.Guard(from)
		stop := context.AfterFunc(ctx, func() { _ = from.Close() })
		defer stop()
		go func() {
			for range 3 {
				time.Sleep(59 * time.Second)
				_, _ = to.Write([]byte("x"))
			}
		}()
		for range 3 {
			if _, err := guarded.Read(make([]byte, 1)); err != nil {
				t.Fatalf("%v, after all came in time", err)
			}
			time.Sleep(2 * time.Minute)
			if ctx.Err() != nil {
				t.Fatal("cancelled while nothing was waited for")
			}
		}
		began := time.Now()
		if _, err := guarded.Read(make([]byte, 1)); err == nil {
			t.Fatal("read what never came")
		}
		if cause := context.Cause(ctx); !errors.Is(cause, dead) || time.Since(began) != time.Minute {
			t.Errorf("%v, after %v", cause, time.Since(began))
		}
	})
}
