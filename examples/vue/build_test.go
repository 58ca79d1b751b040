package vue_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// client is the module that the example imports, from the repository's root.
const client = "internal/web/page/tickertape.js"

// build checks the types of the example and of the client, and builds the
// page, all in a copy. It returns the folder with the page.
func build(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	here := filepath.Join(root, "examples", "vue")
	copyFiles(t, here, ".")
	copyFile(t, filepath.Join(root, client), filepath.Join("..", "..", client))
	run(t, here, "npm", "ci", "--prefer-offline", "--no-progress")
	run(t, here, "npm", "run", "check")
	run(t, here, "npm", "run", "build")
	return filepath.Join(here, "dist")
}

// copyFiles copies a folder without what npm and vite make in it.
func copyFiles(t *testing.T, to, from string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "dist"):
			return fs.SkipDir
		case !d.IsDir():
			copyFile(t, filepath.Join(to, path), path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir string, command ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", command, err, out)
	}
}
