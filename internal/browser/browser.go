// Package browser drives a headless Chromium for tests: real pages, the
// browser's own EventSource, real clicks and keys.
package browser

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	// startTime is how long Chromium, or a tab of it, may take to start or
	// to end.
	startTime = time.Minute
	// stepTime is how long one step in a tab may take.
	stepTime = 30 * time.Second
)

// Browser is one Chromium process with a profile of its own.
type Browser struct {
	ctx context.Context
}

// Start starts a Chromium that ends with the test. A test whose Chromium is
// missing fails: a promise to browsers that no browser checked is not kept.
func Start(t testing.TB) *Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: make test installs it")
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.WSURLReadTimeout(startTime),
		// Chromium refuses to run as root with its sandbox.
		chromedp.Flag("no-sandbox", os.Geteuid() == 0), chromedp.Flag("window-size", "1280,900")}
	for _, name := range [...]string{"headless", "disable-gpu", "disable-quic", "no-first-run", "no-default-browser-check",
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-extensions",
		"disable-dev-shm-usage", "disable-background-timer-throttling", "disable-renderer-backgrounding",
		"disable-backgrounding-occluded-windows"} {
		options = append(options, chromedp.Flag(name, true))
	}
	allocator, free := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(free)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		defer cancel()
		ending, done := context.WithTimeout(ctx, startTime)
		defer done()
		if err := chromedp.Cancel(ending); err != nil {
			t.Errorf("chromium did not end in order: %v", err)
		}
	})
	if err := begin(ctx, cancel); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return &Browser{ctx: ctx}
}

// begin makes the process or the tab of a context that has none yet. That
// first step's own context must not end before the tab does, so its time is
// bounded from outside.
func begin(ctx context.Context, cancel context.CancelFunc) error {
	late := time.AfterFunc(startTime, cancel)
	defer late.Stop()
	return chromedp.Do(ctx)
}
