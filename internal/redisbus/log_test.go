package redisbus_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestOneFaultIsLoggedOnce has a full store refuse beats and messages by
// turns: by different lines of a script, which is nobody's business.
func TestOneFaultIsLoggedOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory", "1mb")
	log := &journal{}
	bus := openBus(t, redisbus.Options{URL: server.URL, Log: slog.New(slog.NewTextHandler(log, nil))})
	run(t, bus)
	eventually(t, "Ready says it", func() bool {
		return bus.Ready() != nil && strings.Contains(bus.Ready().Error(), "Redis is full")
	})
	for range 10 {
		_, err := publish(t, bus, "x")
		says(t, err, "Redis is full")
		if strings.Contains(err.Error(), "script") {
			t.Fatalf("it tells of scripts: %v", err)
		}
		if err := clock(t, bus); err == nil {
			t.Fatal("a full store took a beat")
		}
	}
	if n := strings.Count(log.String(), "Redis is full"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log)
	}
}

// clock makes the call that a beat is.
func clock(t *testing.T, bus *redisbus.Bus) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := bus.Clock(ctx)
	return err
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
