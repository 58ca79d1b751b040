package torture

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds the hub and returns the program, which is gone after the test.
// The arguments are those of go build, such as "-overlay", file.
func Build(t testing.TB, args ...string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "hub")
	cmd := exec.Command("go", append(append([]string{"build", "-o", program}, args...), "./cmd/hub")...)
	cmd.Dir = root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the hub: %v\n%s", err, out)
	}
	return program
}

// root returns the folder that the repository is in.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal(err)
	return ""
}
