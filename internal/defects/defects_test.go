package defects_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tickertape/internal/defects"
	"tickertape/internal/redistest"
)

// root is where the module begins.
const root = "../.."

// TestTextsStandOnce holds the table against the source.
func TestTextsStandOnce(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[string]bool{}
	for _, d := range defects.All() {
		if !name.MatchString(d.Name) || seen[d.Name] || d.About == "" || len(d.Edits) == 0 || len(d.Cases) == 0 {
			t.Errorf("%q: has a bad name or one that another one has, or lacks what it needs", d.Name)
		}
		seen[d.Name] = true
		for _, e := range d.Edits {
			if e.Old == e.New {
				t.Errorf("%s: changes nothing in %s", d.Name, e.File)
			}
		}
		if _, err := defects.Overlay(root, t.TempDir(), d); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
}

// TestCompile builds what the defects change, as many at once as do not touch
// each other: a defect that does not build shows nothing.
func TestCompile(t *testing.T) {
	t.Parallel()
	for rest := defects.All(); len(rest) > 0; {
		var together, later []defects.Defect
		for _, d := range rest {
			if _, err := defects.Overlay(root, t.TempDir(), append(slices.Clone(together), d)...); err == nil {
				together = append(together, d)
			} else {
				later = append(later, d)
			}
		}
		if len(together) == 0 {
			return // TestTextsStandOnce tells
		}
		if said := build(t, together...); said != "" {
			for _, d := range together {
				if said := build(t, d); said != "" {
					t.Errorf("%s does not compile:\n%s", d.Name, said)
				}
			}
		}
		rest = later
	}
}

// build returns what the compiler says against the defects.
func build(t *testing.T, list ...defects.Defect) string {
	t.Helper()
	overlay, err := defects.Overlay(root, t.TempDir(), list...)
	if err != nil {
		t.Fatal(err)
	}
	arguments := []string{"build", "-overlay", overlay}
	for _, dir := range defects.Packages(list...) {
		arguments = append(arguments, "./"+dir)
	}
	command := exec.CommandContext(t.Context(), "go", arguments...)
	command.Dir = root
	said, err := command.CombinedOutput()
	if err == nil {
		return ""
	}
	return err.Error() + "\n" + string(said)
}

// TestScriptsCompile has Redis read the scripts that defects change.
func TestScriptsCompile(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for _, d := range defects.All() {
		dir := t.TempDir()
		if _, err := defects.Overlay(root, dir, d); err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		scripts, err := filepath.Glob(filepath.Join(dir, "*.lua"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range scripts {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := server.Do("SCRIPT", "LOAD", string(text)); err != nil {
				t.Errorf("%s: %v", d.Name, err)
			}
		}
	}
}

// TestTextsThatDoNotFit has edits of a text that is not there, or there twice,
// and two of one place.
func TestTextsThatDoNotFit(t *testing.T) {
	t.Parallel()
	const file = "internal/defects/defects_test.go"
	edit := func(texts ...string) (d defects.Defect) {
		for _, text := range texts {
			d.Edits = append(d.Edits, defects.Edit{File: file, Old: text})
		}
		return d
	}
	for name, list := range map[string][]defects.Defect{
		"missing":     {edit(strings.Repeat("never ", 2))},
		"twice":       {edit("t.Parallel()")},
		"one for two": {edit("package defects_" + "test"), edit("defects_" + "test\n")},
	} {
		if _, err := defects.Overlay(root, t.TempDir(), list...); !errors.Is(err, defects.ErrText) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
