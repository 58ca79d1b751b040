// Package defects is a table of mistakes that a hub could make: each one is
// what a line of the source says turned into something wrong. The self-test of
// package torture builds a hub with each of them, and has to find it out;
// otherwise nothing says that its table of zeros means anything.
//
// No release can have one of them. The source holds no trace: a mistake is text
// in this table alone, is written into copies of the files, and gets into a
// program only by the overlay that go build is given for it (go help build). A
// test keeps the table in step with the source.
package defects

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Defect is one mistake.
type Defect struct {
	Name  string // "gap-swallowed"
	About string // what a hub does that makes it
	Edits []Edit
	// Cases names the cases of package torture that show it, the surest first.
	Cases []string
}

// Edit turns a text that a file has exactly once into another one.
type Edit struct {
	File     string // slashed, from the root of the module
	Old, New string
}

// All returns the table.
func All() []Defect {
	return slices.Concat(ofHub(), ofHistory(), ofFeed(), ofLane(), ofEpochs(), ofStreamsIn(), ofEnds())
}

// Named returns the defects with the names, in their order.
func Named(names ...string) ([]Defect, error) {
	var list []Defect
	for _, name := range names {
		all := All()
		i := slices.IndexFunc(all, func(d Defect) bool { return d.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no defect is named %q", name)
		}
		list = append(list, all[i])
	}
	return list, nil
}

// Overlay writes copies of the module's files that have the defects, and the
// overlay that makes go build take them for the originals. It returns that
// one's path. All goes into dir, whose owner removes it.
func Overlay(root, dir string, list ...Defect) (path string, err error) {
	root, err = filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("the module: %w", err)
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for file, edits := range byFile(list) {
		original := filepath.Join(root, filepath.FromSlash(file))
		text, err := os.ReadFile(original)
		if err != nil {
			return "", fmt.Errorf("a file to edit: %w", err)
		}
		changed, err := apply(string(text), edits)
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		written := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(written, []byte(changed), 0o600); err != nil {
			return "", fmt.Errorf("a file with defects: %w", err)
		}
		overlay.Replace[original] = written
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", fmt.Errorf("the overlay: %w", err)
	}
	path = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", fmt.Errorf("the overlay: %w", err)
	}
	return path, nil
}

// Packages returns the directories of the packages that the defects change, each
// once, slashed and from the root of the module. The parts of a script lie in a
// directory below their package's.
func Packages(list ...Defect) (dirs []string) {
	for file := range byFile(list) {
		dirs = append(dirs, strings.TrimSuffix(path.Dir(file), "/publish"))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// byFile returns the edits of each file. Several defects may share one.
func byFile(list []Defect) map[string][]Edit {
	files := map[string][]Edit{}
	for _, d := range list {
		for _, e := range d.Edits {
			if !slices.Contains(files[e.File], e) {
				files[e.File] = append(files[e.File], e)
			}
		}
	}
	return files
}

// ErrText says that the table and the source have come apart, or that two
// defects change the same text.
var ErrText = errors.New("the text to change does not stand there exactly once")

// apply makes the edits at the places where the text has them before any is made.
func apply(text string, edits []Edit) (string, error) {
	places := make([]place, len(edits))
	for i, e := range edits {
		if strings.Count(text, e.Old) != 1 {
			return "", fmt.Errorf("%w: %q", ErrText, e.Old)
		}
		at := strings.Index(text, e.Old)
		places[i] = place{at, at + len(e.Old), e.New}
	}
	slices.SortFunc(places, func(a, b place) int { return a.from - b.from })
	var changed strings.Builder
	done := 0
	for _, p := range places {
		if p.from < done {
			return "", fmt.Errorf("%w: two defects change %q", ErrText, text[p.from:p.upto])
		}
		changed.WriteString(text[done:p.from])
		changed.WriteString(p.text)
		done = p.upto
	}
	changed.WriteString(text[done:])
	return changed.String(), nil
}

// place is where in a file an edit goes.
type place struct {
	from, upto int
	text       string
}
