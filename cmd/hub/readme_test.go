package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The README's tables are compared with what they are about.

func TestReadmeListsDependencies(t *testing.T) {
	t.Parallel()
	want := matches(t, "../../go.mod", `(?m)^\t(\S+) v\S+$`)
	want = append(want, matches(t, "../../tools/go.mod", `(?m)^\t(\S+)$`)...)
	var got []string
	for _, row := range readmeRows(t, "## Dependencies") {
		name, reason, _ := strings.Cut(strings.Trim(row, "| "), " | ")
		if reason == "" {
			t.Errorf("%s has no reason", name)
		}
		got = append(got, strings.Trim(name, "`"))
	}
	compareRows(t, want, got)
}

func matches(t *testing.T, file, pattern string) (found []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, file), -1) {
		found = append(found, m[1])
	}
	return found
}

// readmeRows returns the table rows below a heading of the README that begin
// with code.
func readmeRows(t *testing.T, heading string) (rows []string) {
	t.Helper()
	_, section, ok := strings.Cut(read(t, "../../README.md"), heading+"\n")
	if !ok {
		t.Fatalf("the README has no %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	return rows
}

// compareRows compares two lists regardless of their order.
func compareRows(t *testing.T, want, got []string) {
	t.Helper()
	if len(want) == 0 {
		t.Error("there is nothing that the README could list")
	}
	for _, row := range want {
		if !slices.Contains(got, row) {
			t.Errorf("the README lacks\n%s", row)
		}
	}
	for _, row := range got {
		if !slices.Contains(want, row) {
			t.Errorf("the README has, but should not,\n%s", row)
		}
	}
	if len(got) > len(want) {
		t.Errorf("the README has %d rows instead of %d", len(got), len(want))
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
