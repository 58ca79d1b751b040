package redistest

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//go:embed preload/late.c
var lateSource []byte

// StartLate is Start for a server whose clock is behind, in all its lives, by
// so many whole seconds. It needs a C compiler, and a system that knows
// LD_PRELOAD.
func StartLate(t testing.TB, by time.Duration, args ...string) *Server {
	t.Helper()
	dir := t.TempDir()
	source, library := filepath.Join(dir, "late.c"), filepath.Join(dir, "late.so")
	if err := os.WriteFile(source, lateSource, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source).CombinedOutput()
	if err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	env := []string{"LD_PRELOAD=" + library, fmt.Sprintf("LATE_BY=%d", int64(by.Seconds()))}
	return start(t, passwordIn(args), env, plain(args))
}
