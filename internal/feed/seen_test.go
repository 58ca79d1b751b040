package feed_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tickertape/internal/feed"
)

// items returns one for each id, in that order.
func items(ids ...string) (all []feed.Item) {
	for _, id := range ids {
		all = append(all, feed.Item{ID: id})
	}
	return all
}

func idsOf(items []feed.Item) string {
	var ids []string
	for _, i := range items {
		ids = append(ids, i.ID)
	}
	return strings.Join(ids, " ")
}

func open(t *testing.T, path string) *feed.Seen {
	t.Helper()
	s, err := feed.OpenSeen(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func save(t *testing.T, s *feed.Seen) {
	t.Helper()
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
}

func TestSeen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "seen.json")
	s := open(t, path)
	page := feed.Page{Items: items("a", "b", "c", "d", "d"), Version: feed.Version{ETag: "1"}}
	if got := idsOf(s.New(page.Items, 3)); got != "c d" {
		t.Errorf("at first %q is new", got)
	}
	// A crash in the middle of the first page.
	s.Add(items("c")...)
	save(t, s)
	s = open(t, path)
	if got := idsOf(s.New(page.Items, 3)); got != "d" || s.Version() != (feed.Version{}) {
		t.Errorf("in the middle of the first page %q is new, version %v", got, s.Version())
	}
	s.Finish(page)
	save(t, s)
	s = open(t, path)
	if got := idsOf(s.New(items("a", "x", "b", "y", "d", "x"), 1)); got != "x y" || s.Version() != page.Version {
		t.Errorf("after the first page %q is new, version %v", got, s.Version())
	}
	s.Finish(feed.Page{Unchanged: true})
	if s.Version() != page.Version {
		t.Error("a page that did not change lost the version")
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

// TestSeenIsBounded forgets what is long gone from the page, and nothing else.
func TestSeenIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seen.json")
	s := open(t, path)
	s.Finish(feed.Page{Items: items("first", "stays")})
	for round := range 20 {
		page := items("stays")
		for i := range 900 {
			page = append(page, feed.Item{ID: fmt.Sprint(round, "-", i)})
		}
		if got := s.New(page, 0); len(got) != 900 {
			t.Fatalf("round %d: %d are new", round, len(got))
		}
		s.Finish(feed.Page{Items: page})
	}
	save(t, s)
	if info, err := os.Stat(path); err != nil || info.Size() > 64<<10 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	if got := idsOf(open(t, path).New(items("first", "stays"), 0)); got != "first" {
		t.Errorf("%q is new", got)
	}
}

func TestSeenCannotBeReadOrWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seen.json")
	if err := os.WriteFile(path, []byte(`{"items":["`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := feed.OpenSeen(path); err == nil || !strings.Contains(err.Error(), "seen.json cannot be read") {
		t.Errorf("%v", err)
	}
	if _, err := feed.OpenSeen(t.TempDir()); err == nil {
		t.Error("a directory is read")
	}
	dir := filepath.Join(t.TempDir(), "dir")
	s := open(t, filepath.Join(dir, "seen.json"))
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(); err == nil {
		t.Error("saved below a file")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	keys := []string{feed.Key("a", feed.Item{ID: "1"}), feed.Key("a", feed.Item{ID: "2"}), feed.Key("b", feed.Item{ID: "1"})}
	if keys[0] != feed.Key("a", feed.Item{ID: "1", Title: "another"}) {
		t.Error("a key depends on more than the feed and the item's id")
	}
	slices.Sort(keys)
	if len(slices.Compact(keys)) != 3 {
		t.Errorf("%q", keys)
	}
}
