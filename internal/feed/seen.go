package feed

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// maxSeen bounds what is remembered of a feed: more than a page has, so that
// nothing is forgotten that is still there.
const maxSeen = 2 * maxItems

// Seen remembers which items of a feed are old. It is one file, which other
// processes must not write.
type Seen struct {
	path string
	doc  seenDocument
}

type seenDocument struct {
	Version Version  `json:"version"`
	Items   []string `json:"items"` // hashes of IDs; the last seen come last
	Begun   bool     `json:"begun"`
}

// OpenSeen reads the file at a path. If there is none, all items are new.
func OpenSeen(path string) (*Seen, error) {
	s := &Seen{path: path}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, &s.doc); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w; without that file all of the feed is new", path, err)
	}
	return s, nil
}

// Version returns what the server said of the page that was seen last.
func (s *Seen) Version() Version { return s.doc.Version }

// New returns those of a page's items that are new, in their order. Of a feed's
// very first page only the newest ones can be, so many as first says: the others
// are old to everyone.
func (s *Seen) New(items []Item, first int) []Item {
	if !s.doc.Begun {
		items = items[max(0, len(items)-first):]
	}
	old := make(map[string]bool, len(s.doc.Items))
	for _, h := range s.doc.Items {
		old[h] = true
	}
	var news []Item
	for _, item := range items {
		if h := hash(item.ID); !old[h] {
			old[h] = true
			news = append(news, item)
		}
	}
	return news
}

// Add remembers items.
func (s *Seen) Add(items ...Item) {
	fresh := make(map[string]bool, len(items))
	var hashes []string
	for _, item := range items {
		if h := hash(item.ID); !fresh[h] {
			fresh[h] = true
			hashes = append(hashes, h)
		}
	}
	s.doc.Items = slices.DeleteFunc(s.doc.Items, func(h string) bool { return fresh[h] })
	s.doc.Items = append(s.doc.Items, hashes...)
	s.doc.Items = s.doc.Items[max(0, len(s.doc.Items)-maxSeen):]
}

// Finish remembers a whole page, all of whose new items are published.
func (s *Seen) Finish(p Page) {
	if p.Unchanged {
		return
	}
	s.Add(p.Items...)
	s.doc.Version, s.doc.Begun = p.Version, true
}

// Save writes the file, whole or not at all.
func (s *Seen) Save() error {
	content, err := json.Marshal(s.doc)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Key returns an idempotency key of an item of the feed at an address.
func Key(address string, item Item) string {
	h := sha256.Sum256([]byte(address + "\n" + item.ID))
	return "feed-" + base64.RawURLEncoding.EncodeToString(h[:24])
}

func hash(id string) string {
	h := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(h[:12])
}
