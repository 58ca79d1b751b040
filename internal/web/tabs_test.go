package web_test

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// TestTabs lets tabs that share a stream live through random worlds, in which
// messages are late, tabs sleep, crash and come back, and streams are cut,
// refused and frozen. None may miss an event or see one twice, and in the end
// each group has one stream.
func TestTabs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", "testdata/tabs.mjs", "100", "100").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
